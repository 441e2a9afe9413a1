import { describe, expect, it } from "vitest"
import { Ir, Program, Spec, Tensor } from "@espalier/tensor"
import { stagesOf } from "@espalier/wasm"
import { shaderOf } from "@espalier/webgpu"
import { readFileSync } from "node:fs"

const page = new URL("../../docs/from-a-line-to-a-kernel.md", import.meta.url).pathname

/** The program of the page. */
const layer = Program.make(
  "layer",
  { x: Spec.f32([64, 128]), w: Spec.f32([128, 32]), b: Spec.f32([32]) },
  ({ x, w, b }) => Tensor.softmax(Tensor.gelu(Tensor.add(Tensor.matmul(x, w), b))),
)

const stages = layer.schedule.steps.flatMap(({ kernel }) => {
  const made = stagesOf(kernel)
  const size = (made.bytes / 1024).toFixed(1)
  return [
    `${kernel.name}: a module of ${size} KiB, ${made.scratchBytes} bytes of working memory a thread`,
    ...made.stages.map(
      ({ name, extent, grain }) => `  ${name} over [0, ${extent}), in multiples of ${grain}`,
    ),
  ]
})

const sections: ReadonlyArray<readonly [name: string, language: string, text: string]> = [
  ["explain", "text", Program.explain(layer)],
  ["kernel", "text", Ir.printKernel(layer.schedule.steps.at(-1)!.kernel)],
  ["wasm", "text", stages.join("\n")],
  ["wgsl", "wgsl", shaderOf(layer.schedule.steps.at(-1)!.kernel)],
]

describe("docs/from-a-line-to-a-kernel.md", () => {
  it("shows what the code prints (vitest run -u documented_test.ts writes it)", async () => {
    const text = sections.reduce(
      (found, [name, language, content]) => {
        const marks = new RegExp(`(<!-- ${name} -->\n)[^]*(<!-- /${name} -->)`)
        expect(found).toMatch(marks)
        return found.replace(
          marks,
          (_, open: string, close: string) =>
            `${open}\n\`\`\`${language}\n${content.trim()}\n\`\`\`\n\n${close}`,
        )
      },
      readFileSync(page, "utf8"),
    )
    await expect(text).toMatchFileSnapshot(page)
  })
})
