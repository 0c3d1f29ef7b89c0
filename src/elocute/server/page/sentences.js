// Sentences to practise with, each with the sounds that it trains.

export const SENTENCES = [
  ["I think the weather is nice today.", "th"],
  ["My father drives a red car.", "r and a"],
  ["Can you help me find the zoo?", "z, and a question"],
  ["She will live in the village with her uncle.", "v, w and l"],
  ["The ship leaves at six, so please sit still.", "long and short i"],
  ["Three thin thieves thought about Thursday.", "th and s"],
  ["A cup of hot coffee would be perfect now.", "p, k and open vowels"],
  ["We are going to the new museum.", "weak words and stress"],
  ["He put his good book on the blue roof.", "u sounds"],
  ["Photography is harder than taking a photograph.", "stress"],
  ["Would you rather stay here, or go home early?", "a choice, with a pause"],
  ["When the rain stopped, we walked along the river.", "phrases and endings"],
];
