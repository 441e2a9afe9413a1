import { linearAlgebra } from "@espalier/wasm"

/** Factorisations on the CPU under every device, and the module whose code decides what they give. */
export const fastLinearAlgebra = { module: import.meta.url, layer: linearAlgebra() }
