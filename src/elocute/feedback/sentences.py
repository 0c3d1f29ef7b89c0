"""Sentences to practise each phone with, two and more a phone, written for this project. Short, plain and speakable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache

from elocute.phones import phonemize

SENTENCES: dict[str, tuple[str, ...]] = {
    "AA": ("My father got a lot of hot coffee pots.", "Stop the car by the park and lock it."),
    "AE": ("The black cat sat on my dad's hat.", "That man has a map in his bag."),
    "AH": ("My mother loves to run in the sun.", "The young cub jumped up under the bus."),
    "AO": ("I saw four small dogs walk on the lawn.", "All morning she taught the tall boys to draw."),
    "AW": ("The brown cow is out of the house now.", "We found a loud owl down in the town."),
    "AY": ("I like to ride my bike at night.", "My kind of pie is nice and light."),
    "B": ("Bob bought a big blue ball for the baby.", "The boy put his best book back in the box."),
    "CH": ("Each child chose a chair in the church.", "Watch the chicken reach for the cheese."),
    "D": ("Dad had a good day and read a dark red book.", "Did you add the old words to the card?"),
    "DH": ("This is the one that they gave to their mother.", "Those are the others that father will breathe with."),
    "EH": ("Ten men went to get the red bed.", "Fred said the next test was less fresh than ever."),
    "ER": ("Her first nurse works with birds and turtles.", "The girl learned thirty words on Thursday."),
    "EY": ("They play a great game on a rainy day.", "Wait, the train to Spain came late again today."),
    "F": ("Four friends found a few fish for Friday.", "He laughed off half of the funny photo."),
    "G": ("The big dog began to dig in the green garden.", "Give the good girl a bag of eggs."),
    "HH": ("He has his hat in his hand.", "How happy her whole house is when he is home!"),
    "IH": ("This little fish will swim in it.", "Six big ships sit still in the wind."),
    "IY": ("She sees three green trees by the sea.", "We need to eat these sweet beans each week."),
    "JH": ("Jack and Jane enjoy orange juice.", "The judge changed a large page in June."),
    "K": ("Can you keep the cake in the back of the kitchen?", "Kate likes to pick black coats."),
    "L": ("Lily will call all the little lambs.", "The tall lady lost a yellow ball in the lake."),
    "M": ("My mum made me some more warm milk.", "Tim came home from the farm on Monday."),
    "N": ("Nine new men ran into a nice inn.", "Ann knows no one in this green town."),
    "NG": ("The king is singing a long song.", "I am thinking of bringing the young thing along."),
    "OW": ("Joe goes home alone in the snow.", "Show me the old boat on the slow road."),
    "OY": ("The boys enjoy their noisy toys.", "Roy pointed to the coin in the soil."),
    "P": ("Peter put a pile of paper on top of the pan.", "Please keep the cup of soup on the map."),
    "R": ("The red rabbit ran around the rock.", "Mary tried to write a very strong story."),
    "S": ("The six sisters sat still in the sun.", "Sam says the ice costs less this summer."),
    "SH": ("She washed the fresh fish in a shiny dish.", "Should we push the ship to the shore?"),
    "T": ("Tom took ten tickets to the town.", "It is too late to eat that hot tart."),
    "TH": ("I think three thick books are on the path.", "Both of them thank Beth for her thin cloth."),
    "UH": ("A good cook should look in the book.", "He took his foot and pushed the full wood box."),
    "UW": ("Who knew that the blue moon moves so soon?", "You two threw the food into the new room."),
    "V": ("Vera gave every visitor five vines.", "We have lived above a very vast valley."),
    "W": ("We will walk in the wet wind one week.", "Why was the window wide when we were away?"),
    "Y": ("Yes, you used your yellow yacht last year.", "A few young students use the music unit."),
    "Z": ("The boys' eyes follow those lazy bees.", "His zebras doze as the music plays."),
    "ZH": ("They usually measure the treasure with pleasure.", "It is my usual pleasure to watch television."),
}
"""By the phone that they hold often; the first one is the easier one."""


def all_sentences() -> tuple[str, ...]:
    """All sentences, each once."""
    return tuple(dict.fromkeys(sentence for sentences in SENTENCES.values() for sentence in sentences))


@cache
def phones_in(sentence: str) -> Mapping[str, int]:
    """How often a text has each phone in its dictionary form."""
    return Counter(phone.symbol for phone in phonemize(sentence).phones)
