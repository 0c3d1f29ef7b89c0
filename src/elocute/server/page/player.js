// What is heard: stretches of the recording, and the browser's own voice as a reference.

let context = null;
let playing = null;

/** A recording to be played in parts; decoded when it is first needed. */
export class Player {
  constructor(blob) {
    this.blob = blob;
    this.decoded = null;
  }

  /** Play from start to end in seconds; `onTime` gets the time while it plays and null at the end. */
  async play(start, end, onTime) {
    context ??= new AudioContext();
    await context.resume();
    this.decoded ??= this.blob.arrayBuffer().then((bytes) => context.decodeAudioData(bytes));
    const buffer = await this.decoded;
    stop();
    const source = context.createBufferSource();
    const volume = context.createGain();
    source.buffer = buffer;
    source.connect(volume).connect(context.destination);
    const now = context.currentTime;
    const length = Math.max(Math.min(end, buffer.duration) - start, 0.03);
    // Five milliseconds of fade at both ends, against clicks.
    volume.gain.setValueAtTime(0, now);
    volume.gain.linearRampToValueAtTime(1, now + 0.005);
    volume.gain.setValueAtTime(1, now + length - 0.005);
    volume.gain.linearRampToValueAtTime(0, now + length);
    source.start(now, start, length);
    const own = { source, onTime };
    playing = own;
    source.onended = () => playing === own && stop();
    const follow = () => {
      if (playing !== own) return;
      onTime(start + context.currentTime - now);
      requestAnimationFrame(follow);
    };
    follow();
  }
}

/** Silence whatever plays or speaks. */
export function stop() {
  window.speechSynthesis?.cancel();
  if (playing === null) return;
  const { source, onTime } = playing;
  playing = null;
  source.onended = null;
  source.stop();
  onTime(null);
}

/** An English voice of this device; voices that would send the text elsewhere are not used. Null where there is none. */
export function referenceVoice() {
  const voices = window.speechSynthesis?.getVoices() ?? [];
  const english = voices.filter((voice) => voice.localService && voice.lang.replace("_", "-").startsWith("en"));
  return english.find((voice) => voice.lang.replace("_", "-") === "en-US") ?? english[0] ?? null;
}

/** Call back now and whenever the browser has found more voices. */
export function whenVoicesChange(callback) {
  callback();
  window.speechSynthesis?.addEventListener("voiceschanged", callback);
}

/** Have the reference voice say something. */
export function say(text) {
  stop();
  const speech = new SpeechSynthesisUtterance(text);
  speech.voice = referenceVoice();
  speech.lang = "en-US";
  speech.rate = 0.9;
  window.speechSynthesis.speak(speech);
}
