import type { Provider } from "./provider.ts"
import { requestAdapter } from "./provider.ts"

/** `navigator.gpu`: a browser, or a runtime that has WebGPU of its own. */
export const navigatorProvider: Provider = {
  name: "navigator.gpu",
  find: async (options) => {
    const { navigator } = globalThis as { readonly navigator?: { readonly gpu?: GPU } }
    return navigator?.gpu === undefined
      ? "not there"
      : requestAdapter(navigator.gpu, "navigator.gpu", options)
  },
}
