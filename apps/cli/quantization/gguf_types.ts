/** What GGUF files may have for matrices. */
export const ggufTypes = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0"] as const
