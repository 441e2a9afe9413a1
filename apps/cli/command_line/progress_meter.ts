import type { ProgressUpdate } from "@espalier/runtime"
import { formatNumber, formatSeconds } from "./table.ts"

/** How far one task is, with its rate and the time left, from when it was first heard of. */
export interface Meter {
  readonly task: string
  readonly fraction: number | undefined
  /** `120/544 windows, 35.1 windows/s, 12 s left`. */
  readonly text: string
  /** `22 %, 12 s left`. */
  readonly brief: string
}

/** Measures rates: give it each update with the time in milliseconds. */
export const makeMeter = () => {
  let task: string | undefined
  let began = 0
  let first = 0
  return (update: ProgressUpdate, now: number): Meter => {
    if (update.task !== task || update.completed < first) {
      task = update.task
      began = now
      first = update.completed
    }
    const { completed, total, unit, note } = update
    const elapsed = (now - began) / 1000
    const rate = elapsed > 0.2 && completed > first ? (completed - first) / elapsed : undefined
    const parts = [
      `${formatNumber(completed)}${total === undefined ? "" : `/${formatNumber(total)}`}${unit === undefined ? "" : ` ${unit}`}`,
    ]
    let left: string | undefined
    if (rate !== undefined) {
      const digits = rate >= 100 ? 0 : rate >= 10 ? 1 : 2
      parts.push(`${rate.toFixed(digits)}${unit === undefined ? "" : ` ${unit}`}/s`)
      if (total !== undefined && completed < total) {
        left = `${formatSeconds((total - completed) / rate)} left`
        parts.push(left)
      }
    }
    if (note !== undefined) parts.push(note)
    const fraction = total === undefined || total <= 0 ? undefined : Math.min(1, completed / total)
    const percent = fraction === undefined ? parts[0] : `${Math.floor(fraction * 100)} %`
    const brief = left === undefined ? percent : `${percent}, ${left}`
    return { task: update.task, fraction, text: parts.join(", "), brief }
  }
}

/** A bar of `width` cells. */
export const formatBar = (fraction: number, width: number): string => {
  const full = Math.round(fraction * width)
  return "█".repeat(full) + "░".repeat(width - full)
}
