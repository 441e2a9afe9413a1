import type { StepGraph } from "./step_graph.ts"

/** All that is not a plain letter or digit as a character reference of Mermaid's. */
const escapeMermaid = (text: string): string =>
  Array.from(text.toWellFormed(), (character) =>
    /[\p{L}\p{N} .,/_×-]/u.test(character) ? character : `#${character.codePointAt(0)!};`,
  ).join("")

/** The graph in the language of Mermaid, which GitHub draws. */
export const mermaidGraph = ({ boxes, arrows }: StepGraph): string =>
  [
    "graph LR",
    ...boxes.map(
      ({ label, use }, i) => `  n${i}["${escapeMermaid(label)}<br/>${escapeMermaid(use)}"]`,
    ),
    ...arrows.map(([from, to]) => `  n${from} --> n${to}`),
  ].join("\n")
