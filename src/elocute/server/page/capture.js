// Runs where the browser processes sound: passes on what the microphone hears as 16-bit samples.

const BLOCK = 1024; // samples in one message: 64 ms at 16 kHz

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
  }

  process([channels]) {
    // Without a microphone behind it an input has no channels.
    for (const value of channels[0] ?? []) {
      this.block[this.filled] = Math.round(32767 * Math.min(Math.max(value, -1), 1));
      this.filled += 1;
      if (this.filled < BLOCK) continue;
      this.port.postMessage(this.block, [this.block.buffer]);
      this.block = new Int16Array(BLOCK);
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("capture", Capture);
