// A recording's samples at its own rate: what changes the rate is Python's, the same for every browser.

const USUAL_HZ = 48_000; // of Opus, of most microphones
const RATES = [3_000, 384_000];

/** A recording that the browser cannot read. */
export class DecodeError extends Error {}

/**
 * @param {Blob} blob
 * @returns {Promise<{channels: number, samples: Float32Array, sampleRate: number}>} one channel after the other
 */
export async function decode(blob) {
  const content = await blob.arrayBuffer();
  const view = new DataView(content);
  if (content.byteLength === 0) throw new DecodeError("the recording is empty; record again");
  return fromWav(view) ?? fromBrowser(content, rateOf(view));
}

async function fromBrowser(content, rate) {
  const context = new OfflineAudioContext(1, 1, rate);
  let buffer;
  try {
    buffer = await context.decodeAudioData(content);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    throw new DecodeError("this browser cannot decode the recording; expected wav, flac, mp3, ogg, webm or m4a");
  }
  const channels = buffer.numberOfChannels;
  const samples = new Float32Array(channels * buffer.length);
  for (let channel = 0; channel < channels; channel += 1) samples.set(buffer.getChannelData(channel), channel * buffer.length);
  return { channels, samples, sampleRate: rate };
}

function text(view, at, length) {
  if (at + length > view.byteLength) return "";
  return String.fromCharCode(...new Uint8Array(view.buffer, at, length));
}

/** Rate in the header of flac, Ogg Vorbis and mp3; what is not read there is decoded at 48 kHz. */
function rateOf(view) {
  let rate = USUAL_HZ;
  if (text(view, 0, 4) === "fLaC" && view.byteLength > 21) rate = view.getUint32(18) >>> 12;
  else if (text(view, 0, 4) === "OggS" && text(view, 29, 6) === "vorbis" && view.byteLength > 43) rate = view.getUint32(40, true);
  else rate = mp3Rate(view) ?? rate;
  return rate >= RATES[0] && rate <= RATES[1] ? rate : USUAL_HZ;
}

function mp3Rate(view) {
  let at = 0;
  if (text(view, 0, 3) === "ID3" && view.byteLength > 10) {
    at = 10 + [6, 7, 8, 9].reduce((size, n) => (size << 7) | view.getUint8(n), 0);
  }
  if (at + 4 > view.byteLength || view.getUint16(at) >>> 5 !== 0x7ff) return null;
  const version = (view.getUint8(at + 1) >>> 3) & 3;
  const layer = (view.getUint8(at + 1) >>> 1) & 3;
  const rate = [44_100, 48_000, 32_000][(view.getUint8(at + 2) >>> 2) & 3];
  if (version === 1 || layer === 0 || rate === undefined) return null;
  return rate / { 3: 1, 2: 2, 0: 4 }[version];
}

const READERS = {
  "1/8": (view, at) => (view.getUint8(at) - 128) / 128,
  "1/16": (view, at) => view.getInt16(at, true) / 32_768,
  "1/24": (view, at) => ((view.getUint8(at) << 8 | view.getUint16(at + 1, true) << 16) >> 8) / 8_388_608,
  "1/32": (view, at) => view.getInt32(at, true) / 2_147_483_648,
  "3/32": (view, at) => view.getFloat32(at, true),
  "3/64": (view, at) => view.getFloat64(at, true),
};

/** A wav file's very samples, which browsers scale a little differently; null for what is none of the plain kinds. */
function fromWav(view) {
  if (text(view, 0, 4) !== "RIFF" || text(view, 8, 4) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= view.byteLength;) {
    const name = text(view, at, 4);
    const size = view.getUint32(at + 4, true);
    const begin = at + 8;
    if (name === "fmt " && begin + 16 <= view.byteLength) {
      const kind = view.getUint16(begin, true);
      const isLong = kind === 0xfffe && size >= 26 && begin + 26 <= view.byteLength;
      format = {
        kind: isLong ? view.getUint16(begin + 24, true) : kind,
        channels: view.getUint16(begin + 2, true),
        sampleRate: view.getUint32(begin + 4, true),
        bits: view.getUint16(begin + 14, true),
      };
    }
    if (name === "data" && format !== null) return wavSamples(view, begin, size, format);
    at = begin + size + (size % 2);
  }
  return null;
}

function wavSamples(view, begin, size, { kind, channels, sampleRate, bits }) {
  const read = READERS[`${kind}/${bits}`];
  if (read === undefined || channels === 0) return null;
  const width = bits / 8;
  const there = Math.floor((view.byteLength - begin) / (width * channels));
  const promised = Math.floor(size / (width * channels));
  // Recorders that cannot go back to their header write the greatest size there is.
  if (there < promised && size < 2 ** 31 - 2 ** 16) {
    throw new DecodeError(
      `the recording ends after ${(there / sampleRate).toFixed(2)} of ${(promised / sampleRate).toFixed(2)} s; send it whole`,
    );
  }
  const length = Math.min(there, promised);
  const samples = new Float32Array(channels * length);
  for (let channel = 0; channel < channels; channel += 1) {
    for (let n = 0; n < length; n += 1) samples[channel * length + n] = read(view, begin + (n * channels + channel) * width);
  }
  return { channels, samples, sampleRate };
}
