// The microphone: a recording as plain samples, which are passed on while it is made.

const RATE_HZ = 16_000;
const HEADER = 44;

/** Why there is no recording, in words for people. */
export class MicrophoneError extends Error {}

function inWords(error) {
  const told = {
    NotAllowedError:
      "The microphone is not allowed for this page. Allow it with the sign at the left of the address bar, then press " +
      "Record again. Or open a recording from a file.",
    NotFoundError: "No microphone was found. Plug one in and press Record again, or open a recording from a file.",
    NotReadableError: "The microphone is in use by another program. Close that one and press Record again.",
  };
  return told[error.name] ?? `The microphone does not work (${error.name}). Open a recording from a file instead.`;
}

async function openMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) {
    throw new MicrophoneError(
      "This browser does not let a page record here; that needs https or localhost. Open a recording from a file instead.",
    );
  }
  try {
    // What calls do against echo and noise also changes how sounds sound.
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    return await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, ...plain } });
  } catch (error) {
    if (error instanceof DOMException) throw new MicrophoneError(inWords(error));
    throw error;
  }
}

/** Sound at the rate that is assessed, resampled by the browser; where it cannot do that, at the microphone's own. */
function connect(stream) {
  const context = new AudioContext({ sampleRate: RATE_HZ });
  try {
    return [context, context.createMediaStreamSource(stream)];
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    context.close();
    const own = new AudioContext();
    return [own, own.createMediaStreamSource(stream)];
  }
}

/** 16-bit samples of one channel as a wav file. */
export function wav(parts, rate) {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const header = new DataView(new ArrayBuffer(HEADER));
  const write = (place, name) => [...name].forEach((letter, n) => header.setUint8(place + n, letter.charCodeAt(0)));
  write(0, "RIFF");
  header.setUint32(4, HEADER - 8 + bytes, true);
  write(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // one channel
  header.setUint32(24, rate, true);
  header.setUint32(28, 2 * rate, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  write(36, "data");
  header.setUint32(40, bytes, true);
  return new Blob([header, ...parts], { type: "audio/wav" });
}

/** One recording from start to stop. */
export class Recording {
  /**
   * @param {{onLevel: (seconds: number, peak: number) => void, onSamples: (samples: Int16Array) => void,
   *   onEnd: () => void}} listeners of every block of samples; `onEnd` where somebody pulls the plug
   */
  static async start(listeners) {
    const stream = await openMicrophone();
    let context = null;
    try {
      let source;
      [context, source] = connect(stream);
      await context.audioWorklet.addModule("capture.js");
      await context.resume();
      return new Recording(stream, context, source, listeners);
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      context?.close();
      if (error instanceof DOMException) throw new MicrophoneError(inWords(error));
      throw error;
    }
  }

  constructor(stream, context, source, listeners) {
    Object.assign(this, { stream, context, listeners });
    this.rate = context.sampleRate;
    this.parts = [];
    this.samples = 0;
    this.loudest = 0;
    this.isRunning = true;
    const capture = new AudioWorkletNode(context, "capture", { channelCount: 1, channelCountMode: "explicit" });
    capture.port.addEventListener("message", ({ data }) => this.take(data));
    capture.port.start();
    source.connect(capture).connect(context.destination); // it plays nothing, but what leads nowhere is not run
  }

  get seconds() {
    return this.samples / this.rate;
  }

  take(block) {
    if (!this.isRunning) return;
    if (this.stream.getTracks().every((track) => track.readyState === "ended")) {
      this.listeners.onEnd();
      return;
    }
    this.parts.push(block);
    this.samples += block.length;
    const peak = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 32_768;
    this.loudest = Math.max(this.loudest, peak);
    this.listeners.onSamples(block);
    this.listeners.onLevel(this.seconds, peak);
  }

  /** End it; the recording, or its first samples, as one blob. */
  async stop(most = Infinity) {
    this.isRunning = false;
    for (const track of this.stream.getTracks()) track.stop();
    await this.context.close();
    const kept = [];
    let left = most;
    for (const part of this.parts) {
      if (left <= 0) break;
      kept.push(part.subarray(0, Math.min(part.length, left)));
      left -= part.length;
    }
    return wav(kept, this.rate);
  }
}
