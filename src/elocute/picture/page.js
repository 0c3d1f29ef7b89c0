"use strict";
(() => {
  const sound = document.getElementById("sound");
  const told = document.getElementById("told");
  const lines = [...document.querySelectorAll(".line svg")];
  const marks = [...document.querySelectorAll("[data-from]")];
  const places = new Map(marks.map((mark) => [mark.dataset.at, mark]));
  let context = null;
  let decoded = null;
  let playing = null;
  let begun = 0;
  let from = 0;

  // The file is decoded for single sounds, because <audio> cannot stop within a tenth of a second.
  function samples() {
    if (decoded === null) {
      const coded = atob(sound.src.slice(sound.src.indexOf(",") + 1));
      decoded = context.decodeAudioData(Uint8Array.from(coded, (letter) => letter.charCodeAt(0)).buffer);
    }
    return decoded;
  }

  function stop() {
    if (playing !== null) {
      playing.onended = null;
      playing.stop();
      playing = null;
    }
  }

  async function play(start, end) {
    sound.pause();
    stop();
    context ??= new AudioContext();
    await context.resume();
    const source = context.createBufferSource();
    const volume = context.createGain();
    source.buffer = await samples();
    source.connect(volume).connect(context.destination);
    const now = context.currentTime;
    const length = Math.max(end - start, 0.03);
    // Five milliseconds of fade at both ends, against clicks.
    volume.gain.setValueAtTime(0, now);
    volume.gain.linearRampToValueAtTime(1, now + 0.005);
    volume.gain.setValueAtTime(1, now + length - 0.005);
    volume.gain.linearRampToValueAtTime(0, now + length);
    stop();
    source.start(now, start, length);
    source.onended = () => { playing = null; };
    playing = source;
    begun = now;
    from = start;
    requestAnimationFrame(follow);
  }

  function follow() {
    const isPlaying = playing !== null || !sound.paused;
    const at = playing !== null ? from + context.currentTime - begun : sound.currentTime;
    for (const line of lines) {
      const { start, end, left, scale } = line.dataset;
      const cursor = line.querySelector(".cursor");
      const inside = isPlaying && at >= +start && at < +end;
      cursor.setAttribute("visibility", inside ? "visible" : "hidden");
      if (inside) {
        const x = +left + (at - start) * scale;
        cursor.setAttribute("x1", x);
        cursor.setAttribute("x2", x);
      }
    }
    if (isPlaying) requestAnimationFrame(follow);
  }

  function choose(mark, inView) {
    for (const other of marks) {
      other.classList.toggle("on", other === mark);
      other.setAttribute("tabindex", other === mark ? "0" : "-1");
    }
    told.textContent = mark.getAttribute("aria-label");
    if (inView) mark.scrollIntoView({ block: "nearest", inline: "center" });
    play(+mark.dataset.from, +mark.dataset.to);
  }

  // Left and right go through the words or through the sounds, down from a word to its first sound, up to the word.
  function neighbour(mark, key) {
    const [word, phone] = mark.dataset.at.split(".");
    if (key === "ArrowDown" && phone === undefined) return marks.find((m) => m.dataset.at.startsWith(`${word}.`));
    if (key === "ArrowUp" && phone !== undefined) return places.get(word);
    const kind = marks.filter((m) => m.dataset.at.includes(".") === (phone !== undefined));
    if (key === "ArrowRight") return kind[kind.indexOf(mark) + 1];
    if (key === "ArrowLeft") return kind[kind.indexOf(mark) - 1];
    return undefined;
  }

  for (const mark of marks) {
    mark.addEventListener("click", () => choose(mark, false));
    mark.addEventListener("keydown", (event) => {
      const next = event.key === "Enter" || event.key === " " ? mark : neighbour(mark, event.key);
      if (next === undefined) return;
      event.preventDefault();
      choose(next, true);
      next.focus({ preventScroll: true });
    });
  }
  if (marks.length > 0) marks[0].setAttribute("tabindex", "0");
  else told.remove();
  for (const button of document.querySelectorAll("[data-word], [data-phone]")) {
    const mark = places.get(button.dataset.word ?? button.dataset.phone);
    if (mark !== undefined) button.addEventListener("click", () => choose(mark, true));
  }
  sound.addEventListener("play", () => { stop(); requestAnimationFrame(follow); });
})();
