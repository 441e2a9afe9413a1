import type { LlamaConfig } from "@espalier/models"
import * as TestModels from "@espalier/test-models"

/** A small model with drawn weights, whose widths groups of 32 divide. */
export const tinyLlama = (change: Partial<LlamaConfig> = {}) =>
  TestModels.tinyLlama({ dimension: 32, hiddenDimension: 64, keyValueHeads: 4, ...change })
