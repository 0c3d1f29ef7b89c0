// Radix-2 fast Fourier transform, in place, for the spectrogram and the pitch.

export class Fft {
  /** @param {number} size a power of two */
  constructor(size) {
    if (size < 2 || (size & (size - 1)) !== 0) throw new Error(`FFT of ${size} points; expected a power of two`);
    this.size = size;
    this.cos = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sin = Float64Array.from({ length: size / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    this.real = new Float64Array(size);
    this.imag = new Float64Array(size);
    const bits = Math.log2(size);
    this.reversed = Uint32Array.from({ length: size }, (_, n) => {
      let turned = 0;
      for (let bit = 0; bit < bits; bit += 1) turned |= ((n >> bit) & 1) << (bits - 1 - bit);
      return turned;
    });
  }

  /** Transform what is in `real` and `imag`. */
  run() {
    const { size, real, imag, reversed, cos, sin } = this;
    for (let n = 0; n < size; n += 1) {
      const m = reversed[n];
      if (m > n) {
        [real[n], real[m]] = [real[m], real[n]];
        [imag[n], imag[m]] = [imag[m], imag[n]];
      }
    }
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let first = 0; first < size; first += 2 * half) {
        for (let k = 0; k < half; k += 1) {
          const a = first + k;
          const b = a + half;
          const c = cos[k * stride];
          const s = sin[k * stride];
          const re = real[b] * c + imag[b] * s;
          const im = imag[b] * c - real[b] * s;
          real[b] = real[a] - re;
          imag[b] = imag[a] - im;
          real[a] += re;
          imag[a] += im;
        }
      }
    }
  }
}
