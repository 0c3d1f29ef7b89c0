// Pitch contour for the picture: Boersma's (1993) autocorrelation, with the settings of the tracker in the library.
// It only draws; what is judged about the melody comes from the server's report.

import { Fft } from "./fft.js";
import { RATE_HZ } from "./sound.js";

export const SHIFT_S = 0.01;
const HOP = SHIFT_S * RATE_HZ;
const FLOOR_HZ = 75;
const CEILING_HZ = 600;
const WIDTH = 640; // three periods of the floor
const POINTS = 1024;
const CANDIDATES = 8;
const VOICING = 0.45;
const SILENCE = 0.03;
const OCTAVE_COST = 0.01;
const JUMP_COST = 0.35;
const VOICING_COST = 0.14;
const LAGS = Math.round(RATE_HZ / FLOOR_HZ) + 2;

function hann() {
  return Float64Array.from({ length: WIDTH }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (n + 0.5)) / WIDTH));
}

/** The first lags of the autocorrelation of a windowed frame, relative to lag 0. */
function correlate(fft, frame) {
  fft.real.fill(0);
  fft.imag.fill(0);
  fft.real.set(frame);
  fft.run();
  for (let k = 0; k < POINTS; k += 1) {
    fft.real[k] = fft.real[k] ** 2 + fft.imag[k] ** 2;
    fft.imag[k] = 0;
  }
  fft.run();
  const power = Math.max(fft.real[0], 1e-20);
  return Float64Array.from({ length: LAGS }, (_, lag) => fft.real[lag] / power);
}

/** The strongest peaks of a normalised autocorrelation: lags in samples, and strengths. */
function peaks(r) {
  const found = [];
  for (let n = Math.floor(RATE_HZ / CEILING_HZ); n < LAGS - 1; n += 1) {
    if (r[n] <= r[n - 1] || r[n] < r[n + 1] || r[n] <= VOICING / 2) continue;
    const slope = (r[n + 1] - r[n - 1]) / 2;
    const shift = slope / (2 * r[n] - r[n - 1] - r[n + 1]);
    const height = r[n] + (slope * shift) / 2;
    const lag = n + shift;
    if (lag < RATE_HZ / CEILING_HZ || lag > RATE_HZ / FLOOR_HZ) continue;
    const octave = Math.log2(lag);
    found.push({ octave, strength: (height > 1 ? 1 / height : height) - OCTAVE_COST * octave });
  }
  return found.sort((a, b) => b.strength - a.strength).slice(0, CANDIDATES);
}

/** Candidates of each frame, and the peak of its middle period. */
function analyse(samples) {
  const fft = new Fft(POINTS);
  const window = hann();
  const own = correlate(fft, window);
  const half = Math.round(RATE_HZ / FLOOR_HZ / 2);
  const frames = [];
  const frame = new Float64Array(WIDTH);
  for (let n = 0; n < Math.ceil(samples.length / HOP); n += 1) {
    const first = n * HOP - (WIDTH - HOP) / 2;
    let mean = 0;
    for (let k = 0; k < WIDTH; k += 1) mean += (samples[first + k] ?? 0) / WIDTH;
    let peak = 0;
    for (let k = 0; k < WIDTH; k += 1) {
      const value = (samples[first + k] ?? 0) - mean;
      if (Math.abs(k - WIDTH / 2 + 0.5) < half) peak = Math.max(peak, Math.abs(value));
      frame[k] = value * window[k];
    }
    const r = correlate(fft, frame);
    frames.push({ peak, candidates: peaks(r.map((value, lag) => value / own[lag])) });
  }
  return frames;
}

/** Peak that the loudest 0.2 s of frames reach. */
function loudest(frames) {
  const sorted = frames.map((frame) => frame.peak).sort((a, b) => b - a);
  return Math.max(sorted[Math.min(sorted.length, 20) - 1] ?? 0, 1e-9);
}

/** The states of a frame: unvoiced first, then its candidates, each with what speaks for it alone. */
function states(frame, loud) {
  const quiet = 2 - ((frame.peak / loud) * (1 + VOICING)) / SILENCE;
  const floor = OCTAVE_COST * Math.log2(RATE_HZ / CEILING_HZ);
  return [
    { octave: null, merit: VOICING + Math.max(0, quiet) },
    ...frame.candidates.map(({ octave, strength }) => ({ octave, merit: strength + floor })),
  ];
}

function stepCost(from, to) {
  if (from.octave === null && to.octave === null) return 0;
  if (from.octave === null || to.octave === null) return VOICING_COST;
  return JUMP_COST * Math.abs(from.octave - to.octave);
}

/** Pitch in hertz every 10 ms, the first frame's centre at 5 ms; NaN where unvoiced. */
export function track(samples) {
  const frames = analyse(samples);
  const f0 = new Float32Array(frames.length).fill(NaN);
  if (frames.length === 0) return f0;
  const loud = loudest(frames);
  const paths = frames.map((frame) => states(frame, loud));
  for (const state of paths[0]) state.best = state.merit;
  for (let t = 1; t < paths.length; t += 1) {
    for (const state of paths[t]) {
      state.best = -Infinity;
      for (const before of paths[t - 1]) {
        const total = before.best - stepCost(before, state) + state.merit;
        if (total > state.best) {
          state.best = total;
          state.back = before;
        }
      }
    }
  }
  let state = paths.at(-1).reduce((a, b) => (b.best > a.best ? b : a));
  for (let t = frames.length - 1; t >= 0; t -= 1) {
    if (state.octave !== null) f0[t] = RATE_HZ / 2 ** state.octave;
    state = state.back;
  }
  return f0;
}
