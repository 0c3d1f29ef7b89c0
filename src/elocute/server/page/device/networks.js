// Networks: onnxruntime's WebAssembly, called without waiting.
//
// onnxruntime-web's own front runs a network through a promise, which Python, being synchronous, could not await. The
// functions below it answer at once, also where they have threads to share the work with; so these are called, as
// onnxruntime-web 1.30.0 does it in wasm-core-impl.ts (MIT). They are no public interface: they belong to the very
// files of the run-time beside which they are committed.

const WORD = 4; // bytes of a pointer, and of a number that a function writes
const ALL_OPTIMISATIONS = 99;
const WARNING = 2;
const IN_MEMORY = 1; // where a tensor lies: none, cpu, ...

/** A network that onnxruntime cannot load or run. */
export class NetworkError extends Error {}

export class Networks {
  /**
   * @param {Function} factory of the module, the default export of ort-wasm-simd-threaded.mjs
   * @param {ArrayBuffer} binary ort-wasm-simd-threaded.wasm
   * @param {number} threads that share a network; more than one needs a page that is isolated from others
   */
  static async open(factory, binary, threads) {
    // A name alone is enough, as nothing is fetched.
    const wasm = await factory({ numThreads: threads, wasmBinary: binary, locateFile: (name) => name });
    const networks = new Networks(wasm);
    networks.check(wasm._OrtInit(threads, WARNING), "start");
    return networks;
  }

  constructor(wasm) {
    this.wasm = wasm;
  }

  /** Load a network from the bytes of an ONNX file; its number. */
  load(bytes) {
    const { wasm } = this;
    return this.scoped((keep) => {
      const options = wasm._OrtCreateSessionOptions(ALL_OPTIMISATIONS, true, true, 0, false, 0, 0, WARNING, 0, 0);
      if (options === 0) this.fail("set its options");
      try {
        const session = wasm._OrtCreateSession(keep(bytes), bytes.length, options);
        if (session === 0) this.fail("load");
        return session;
      } finally {
        wasm._OrtReleaseSessionOptions(options);
      }
    });
  }

  /** Names of a network's inputs and outputs. */
  names(session) {
    const { wasm } = this;
    return this.scoped((keep) => {
      const at = keep(2 * WORD);
      this.check(wasm._OrtGetInputOutputCount(session, at, at + WORD), "count inputs and outputs");
      const [inputs, outputs] = [this.word(at), this.word(at + WORD)];
      const all = Array.from({ length: inputs + outputs }, (_, index) => {
        this.check(wasm._OrtGetInputOutputMetadata(session, index, at, at + WORD), "name inputs and outputs");
        const name = wasm.UTF8ToString(this.word(at));
        wasm._OrtFree(this.word(at));
        wasm._OrtFree(this.word(at + WORD));
        return name;
      });
      return { inputs: all.slice(0, inputs), outputs: all.slice(inputs) };
    });
  }

  /**
   * Run a network.
   *
   * @param {number} session
   * @param {{name: string, type: number, dims: number[], bytes: Uint8Array}[]} inputs `type` as ONNX counts them
   * @param {string[]} outputs names
   * @returns {{type: number, dims: number[], bytes: Uint8Array}[]}
   */
  run(session, inputs, outputs) {
    const { wasm } = this;
    const tensors = [];
    try {
      return this.scoped((keep) => {
        for (const input of inputs) tensors.push(this.tensor(input, keep));
        const words = (values) => keep(new Uint8Array(Uint32Array.from(values).buffer));
        const text = (name) => keep(new TextEncoder().encode(`${name}\0`));
        const results = words(outputs.map(() => 0));
        const code = wasm._OrtRun(
          session, words(inputs.map(({ name }) => text(name))), words(tensors), inputs.length,
          words(outputs.map(text)), outputs.length, results, 0,
        );
        const made = outputs.map((_, index) => this.word(results + index * WORD));
        tensors.push(...made.filter((tensor) => tensor !== 0));
        this.check(code, "run");
        return made.map((tensor) => this.content(tensor, keep));
      });
    } finally {
      for (const tensor of tensors) wasm._OrtReleaseTensor(tensor);
    }
  }

  /** A tensor that looks at a copy of some bytes. */
  tensor({ type, dims, bytes }, keep) {
    const shape = keep(new Uint8Array(Uint32Array.from(dims).buffer));
    const tensor = this.wasm._OrtCreateTensor(type, keep(bytes), bytes.length, shape, dims.length, IN_MEMORY);
    if (tensor === 0) this.fail("take an input");
    return tensor;
  }

  /** What a tensor holds, copied. */
  content(tensor, keep) {
    const at = keep(4 * WORD);
    this.check(this.wasm._OrtGetTensorData(tensor, at, at + WORD, at + 2 * WORD, at + 3 * WORD), "give its output");
    const [type, data, shape, rank] = [0, 1, 2, 3].map((index) => this.word(at + index * WORD));
    const dims = Array.from({ length: rank }, (_, index) => this.word(shape + index * WORD));
    this.wasm._OrtFree(shape);
    const size = dims.reduce((product, dim) => product * dim, BYTES[type]);
    return { type, dims, bytes: this.wasm.HEAPU8.slice(data, data + size) };
  }

  /** Do something with memory of the module that is given back at its end: a size, or bytes to be copied there. */
  scoped(work) {
    const { wasm } = this;
    const taken = [];
    const keep = (what) => {
      const bytes = typeof what === "number" ? new Uint8Array(what) : what;
      const address = wasm._malloc(Math.max(bytes.length, 1));
      if (address === 0) throw new NetworkError("there is not enough memory for the networks");
      taken.push(address);
      wasm.HEAPU8.set(bytes, address);
      return address;
    };
    try {
      return work(keep);
    } finally {
      for (const address of taken) wasm._free(address);
    }
  }

  word(address) {
    return this.wasm.getValue(address, "i32") >>> 0;
  }

  check(code, what) {
    if (code !== 0) this.fail(what);
  }

  fail(what) {
    const { wasm } = this;
    const told = this.scoped((keep) => {
      const at = keep(2 * WORD);
      wasm._OrtGetLastError(at, at + WORD);
      return wasm.UTF8ToString(this.word(at + WORD));
    });
    throw new NetworkError(`onnxruntime could not ${what} a network: ${told || "it does not say why"}`);
  }
}

/** Bytes of one number, by the types of ONNX: float, uint8, int8, uint16, int16, int32, int64, -, bool, -, double. */
const BYTES = { 1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 11: 8 };
