// The microphone: a recording in whatever container the browser makes, with its level while it runs.

const KINDS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];

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
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
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

/** One recording from start to stop. */
export class Recording {
  /**
   * @param {(seconds: number, peak: number) => void} onLevel called for every frame of the screen
   * @param {() => void} onEnd called when it ends, also where somebody pulls the plug
   */
  static async start(onLevel, onEnd) {
    const stream = await openMicrophone();
    try {
      return new Recording(stream, onLevel, onEnd);
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      if (error instanceof DOMException) throw new MicrophoneError(inWords(error));
      throw error;
    }
  }

  constructor(stream, onLevel, onEnd) {
    this.stream = stream;
    this.onLevel = onLevel;
    this.parts = [];
    this.loudest = 0;
    this.seconds = 0;
    const kind = KINDS.find((name) => MediaRecorder.isTypeSupported(name));
    this.recorder = new MediaRecorder(stream, kind ? { mimeType: kind, audioBitsPerSecond: 96_000 } : {});
    this.recorder.addEventListener("dataavailable", (event) => this.parts.push(event.data));
    this.ended = new Promise((resolve) => this.recorder.addEventListener("stop", resolve, { once: true }));
    this.ended.then(onEnd);
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 2048;
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.begun = performance.now();
    this.recorder.start(250);
    this.follow();
  }

  get isRunning() {
    return this.recorder.state === "recording";
  }

  follow() {
    if (!this.isRunning) return;
    const samples = new Float32Array(this.analyser.fftSize);
    this.analyser.getFloatTimeDomainData(samples);
    const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    this.loudest = Math.max(this.loudest, peak);
    this.seconds = (performance.now() - this.begun) / 1000;
    this.onLevel(this.seconds, peak);
    requestAnimationFrame(() => this.follow());
  }

  /** End it; the recording as one blob. */
  async stop() {
    if (this.isRunning) this.recorder.stop();
    await this.ended;
    for (const track of this.stream.getTracks()) track.stop();
    await this.context.close();
    return new Blob(this.parts, { type: this.recorder.mimeType });
  }
}
