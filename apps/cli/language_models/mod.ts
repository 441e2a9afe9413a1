/** The language models of the command line: flags, and the layer that they choose. */
export { languageModelFlags } from "./language_model_flags.ts"
export { languageModelLayer } from "./language_model_layer.ts"
export { tellFailures } from "./tell_failure.ts"
