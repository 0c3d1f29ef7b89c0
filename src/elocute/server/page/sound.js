// The recording as it is drawn: samples at 16 kHz, outline of the waveform, spectrogram.

import { Fft } from "./fft.js";

export const RATE_HZ = 16_000;
export const STEP_S = 0.005;
export const HIGHEST_HZ = RATE_HZ / 2;
const STEP = STEP_S * RATE_HZ;
const WINDOW = 160; // 10 ms: the wide band in which formants and bursts show
const POINTS = 256;
const PREEMPHASIS = 0.97;
const RANGE_DB = 55;

/** Decode a recording for drawing; the browser resamples. Rejects what the browser cannot read. */
export async function decodeForDrawing(blob) {
  const buffer = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(await blob.arrayBuffer());
  return mixed(buffer);
}

function mixed(buffer) {
  const out = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel += 1) {
    const samples = buffer.getChannelData(channel);
    for (let n = 0; n < out.length; n += 1) out[n] += samples[n] / buffer.numberOfChannels;
  }
  return out;
}

/** Least and greatest sample of each of so many even stretches of samples[first, last). */
export function outline(samples, first, last, columns) {
  const low = new Float32Array(columns);
  const high = new Float32Array(columns);
  for (let c = 0; c < columns; c += 1) {
    const from = Math.floor(first + ((last - first) * c) / columns);
    const to = Math.max(Math.floor(first + ((last - first) * (c + 1)) / columns), from + 1);
    for (let n = from; n < to && n < samples.length; n += 1) {
      if (samples[n] < low[c]) low[c] = samples[n];
      if (samples[n] > high[c]) high[c] = samples[n];
    }
  }
  return { low, high };
}

/**
 * Loudness over time and frequency as shares of the range that is drawn.
 *
 * @returns {{columns: number, rows: number, loudness: Float32Array}} loudness[c * rows + r]: the 10 ms around
 *   (c + 0.5) * STEP_S at r / (rows - 1) * HIGHEST_HZ; 0 is 55 dB under the loud parts (99.9th percentile), 1 is loud.
 */
export function spectrogram(samples) {
  const fft = new Fft(POINTS);
  const window = Float64Array.from({ length: WINDOW }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / (WINDOW - 1)));
  const columns = Math.max(1, Math.ceil(samples.length / STEP));
  const rows = POINTS / 2 + 1;
  const level = new Float32Array(columns * rows);
  const half = (WINDOW - STEP) / 2;
  for (let c = 0; c < columns; c += 1) {
    fft.real.fill(0);
    fft.imag.fill(0);
    for (let n = 0; n < WINDOW; n += 1) {
      const at = c * STEP - half + n;
      fft.real[n] = window[n] * ((samples[at] ?? 0) - PREEMPHASIS * (samples[at - 1] ?? 0));
    }
    fft.run();
    for (let r = 0; r < rows; r += 1) {
      level[c * rows + r] = 10 * Math.log10(fft.real[r] ** 2 + fft.imag[r] ** 2 + 1e-12);
    }
  }
  const top = percentile(level, 0.999);
  for (let k = 0; k < level.length; k += 1) level[k] = Math.min(Math.max((level[k] - top) / RANGE_DB + 1, 0), 1);
  return { columns, rows, loudness: level };
}

/** Value below which a share of the values lies. */
export function percentile(values, share) {
  const sorted = Float32Array.from(values).sort();
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}
