/** A number for people: four significant digits, `16.70`, and none that an exact number does without, `0.5`. */
export const formatNumber = (value: number): string => {
  if (Number.isNaN(value)) return "NaN"
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞"
  const size = Math.abs(value)
  const sign = value < 0 ? "−" : ""
  if (Number.isInteger(value) && size < 1e9) return `${sign}${grouped(String(size))}`
  if (size >= 1e6 || size < 1e-4) return `${sign}${scientific(size)}`
  if (size >= 1e4) return `${sign}${grouped(size.toFixed(0))}`
  const rounded = size.toPrecision(4)
  return `${sign}${Number(rounded) === size ? size : rounded}`
}

/** A number on an axis, with no more digits than it needs: `16.7`. */
export const formatTick = (value: number): string =>
  formatNumber(value)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "")

/** 12345 as 12,345. */
const grouped = (digits: string): string => digits.replaceAll(/\B(?=(?:\d{3})+$)/g, ",")

const scientific = (size: number): string => {
  const [digits, exponent] = size.toExponential(2).split("e")
  return `${Number(digits)}e${exponent.replace("+", "")}`
}

/** A duration for people. */
export const formatSeconds = (seconds: number): string => {
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  if (seconds < 99.5) return `${seconds.toFixed(0)} s`
  const whole = Math.round(seconds)
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${minutes} min ${whole % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** An amount of memory, given in MiB. */
export const formatMebibytes = (mebibytes: number): string =>
  mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`

/** A file's size. */
export const formatBytes = (bytes: number): string => {
  if (bytes < 1024) return `${bytes} B`
  const mebibytes = bytes / 1024 / 1024
  if (mebibytes < 1) return `${(bytes / 1024).toFixed(1)} KiB`
  return mebibytes < 99.5 ? `${mebibytes.toFixed(1)} MiB` : formatMebibytes(mebibytes)
}

/** `2026-11-23 21:18:09 UTC`, out of an ISO date; another text as it is. */
export const formatTime = (iso: string): string =>
  iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/, "$1 $2 UTC")

/** The share by which a value differs from another: `+3.2 %`; none where it does not or cannot be said. */
export const formatChange = (from: number, to: number): string | undefined => {
  if (from === to || from === 0 || !Number.isFinite(from) || !Number.isFinite(to)) return undefined
  const share = (100 * (to - from)) / Math.abs(from)
  const size = Math.abs(share)
  const sign = share < 0 ? "−" : "+"
  if (size < 0.05) return "<0.1 %"
  return `${sign}${size < 10 ? size.toFixed(1) : grouped(size.toFixed(0))} %`
}

/** Leaves the middle out of a text that has more than so many characters. */
export const shorten = (text: string, most: number): string => {
  const characters = Array.from(text)
  if (characters.length <= most) return text
  const head = Math.ceil((most - 1) * 0.6)
  const tail = most - 1 - head
  return `${characters.slice(0, head).join("")}…${tail === 0 ? "" : characters.slice(-tail).join("")}`
}

/** `1 step`, `75 steps`. */
export const count = (amount: number, one: string, many = `${one}s`): string =>
  `${formatNumber(amount)} ${amount === 1 ? one : many}`
