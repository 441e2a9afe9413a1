import type { ReportRun, ReportStep } from "./report_run.ts"

/** A box of the graph: a step, or several steps that stand at the same place. */
export interface GraphBox {
  readonly label: string
  readonly use: string
  readonly status: string
  readonly steps: ReadonlyArray<string>
}

/** A pipeline's steps and what they need, as indices into the boxes. */
export interface StepGraph {
  readonly name: string
  readonly boxes: ReadonlyArray<GraphBox>
  readonly arrows: ReadonlyArray<readonly [from: number, to: number]>
}

/** With more steps than this, those that do the same with the same are one box. */
const mostSingle = 24

/** With more boxes than this all the same, all steps of one kind are one box. */
const mostBoxes = 100

const worstFirst = ["failed", "skipped", "done", "cached"]

const worst = (steps: ReadonlyArray<ReportStep>): string => {
  const statuses = new Set(steps.map(({ status }) => status))
  return worstFirst.find((status) => statuses.has(status)) ?? steps[0].status
}

const needsOf = (step: ReportStep): ReadonlyArray<string> => [
  ...new Set(step.references.map((reference) => reference.step)),
]

/** Steps so that each comes after those it needs; those in a circle stay in their order. */
const inOrder = (steps: ReadonlyArray<ReportStep>): ReadonlyArray<ReportStep> => {
  const byId = new Map(steps.map((step) => [step.id, step]))
  const ordered = new Set<ReportStep>()
  const visiting = new Set<string>()
  for (const root of steps) {
    // A stack of one's own: a pipeline may be thousands of steps deep.
    const stack = [root]
    while (stack.length > 0) {
      const step = stack[stack.length - 1]
      const next = needsOf(step)
        .map((id) => byId.get(id))
        .find((need) => need !== undefined && !ordered.has(need) && !visiting.has(need.id))
      visiting.add(step.id)
      if (next !== undefined && !ordered.has(step)) stack.push(next)
      else {
        ordered.add(step)
        stack.pop()
      }
    }
  }
  return [...ordered]
}

/** What decides in which box a step is. */
type Place = (step: ReportStep, needs: ReadonlyArray<number>) => string

/** Puts the steps into boxes, each after those it needs. */
const boxesBy = (ordered: ReadonlyArray<ReportStep>, placeOf: Place) => {
  const boxOf = new Map<string, number>()
  const boxes: Array<Array<ReportStep>> = []
  const byPlace = new Map<string, number>()
  for (const step of ordered) {
    const needs = new Set(needsOf(step).flatMap((id) => boxOf.get(id) ?? []))
    const place = placeOf(
      step,
      [...needs].sort((a, b) => a - b),
    )
    const box = byPlace.get(place) ?? boxes.length
    byPlace.set(place, box)
    boxOf.set(step.id, box)
    if (box === boxes.length) boxes.push([step])
    else boxes[box].push(step)
  }
  return { boxes, boxOf }
}

const boxesOf = (ordered: ReadonlyArray<ReportStep>) => {
  if (ordered.length <= mostSingle) return boxesBy(ordered, ({ id }) => id)
  const alike = boxesBy(ordered, ({ use }, needs) => JSON.stringify([use, needs]))
  return alike.boxes.length <= mostBoxes ? alike : boxesBy(ordered, ({ use }) => use)
}

/** The graph of a run's pipeline. */
export const stepGraph = (run: ReportRun): StepGraph => {
  const { boxes, boxOf } = boxesOf(inOrder(run.steps))
  const arrows = new Map<string, readonly [number, number]>()
  for (const step of run.steps) {
    const to = boxOf.get(step.id)!
    for (const need of needsOf(step)) {
      const from = boxOf.get(need)
      if (from !== undefined && from !== to) arrows.set(`${from} ${to}`, [from, to])
    }
  }
  return {
    name: run.name,
    boxes: boxes.map((steps) => ({
      label: steps.length === 1 ? steps[0].id : `${steps.length} steps`,
      use: steps[0].use,
      status: worst(steps),
      steps: steps.map(({ id }) => id),
    })),
    arrows: [...arrows.values()],
  }
}
