/** A point of a drawing in pixels, and the text that stands beside it. */
interface LabelledPoint {
  readonly x: number
  readonly y: number
  readonly label: string
}

/** Where a label begins, ends or has its middle, and its own middle's height. */
export interface PlacedLabel {
  readonly x: number
  readonly y: number
  readonly align: "left" | "center" | "right"
  readonly text: string
}

interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

const overlaps = (a: Box, b: Box) =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom

const lineHeight = 13
const reach = 6

/** How wide a text is, about. */
const widthOf = (text: string) => Array.from(text).length * 6.3 + 2

/** The places to try, the best first: beside, above, below, and further away. */
const candidates = ({ x, y, label }: LabelledPoint): ReadonlyArray<PlacedLabel & Box> => {
  const width = widthOf(label)
  const at = (dx: number, dy: number): PlacedLabel & Box => {
    const align = dx > 0 ? "left" : dx < 0 ? "right" : "center"
    const left = x + dx - (align === "left" ? 0 : align === "right" ? width : width / 2)
    return {
      x: x + dx,
      y: y + dy,
      align,
      text: label,
      left,
      right: left + width,
      top: y + dy - lineHeight / 2,
      bottom: y + dy + lineHeight / 2,
    }
  }
  const near = reach + lineHeight / 2
  const places = [
    [reach + 2, 0],
    [reach, -near + 3],
    [reach, near - 3],
    [0, -near],
    [0, near],
    [-reach - 2, 0],
    [-reach, -near + 3],
    [-reach, near - 3],
    [reach, -near - 8],
    [reach, near + 8],
    [-reach, -near - 8],
    [-reach, near + 8],
  ]
  return places.map(([dx, dy]) => at(dx, dy))
}

const boxOf = ({ x, y }: { readonly x: number; readonly y: number }): Box => ({
  left: x - 4,
  right: x + 4,
  top: y - 4,
  bottom: y + 4,
})

/** Finds a place at an end of a level line for its name, where it hides no point if there is one. */
const placeLevel = (
  { y, label }: { readonly y: number; readonly label: string },
  taken: ReadonlyArray<Box>,
  width: number,
): PlacedLabel & Box => {
  const long = widthOf(label)
  const places = [
    [width - 4, -8, "right"],
    [width - 4, 9, "right"],
    [4, -8, "left"],
    [4, 9, "left"],
  ] as const
  const boxes = places.map(([x, dy, align]) => {
    const left = align === "left" ? x : x - long
    const [top, bottom] = [y + dy - lineHeight / 2, y + dy + lineHeight / 2]
    return { x, y: y + dy, align, text: label, left, right: left + long, top, bottom }
  })
  return boxes.find((box) => !taken.some((other) => overlaps(box, other))) ?? boxes[0]
}

/**
 * Finds a place for each label where it hides no point and no other label. Those without such a place
 * are left out, except those of levels.
 */
export const placeLabels = (
  points: ReadonlyArray<LabelledPoint>,
  levels: ReadonlyArray<{ readonly y: number; readonly label: string }>,
  width: number,
  height: number,
): ReadonlyArray<PlacedLabel> => {
  const taken: Array<Box> = points.map(boxOf)
  const named = levels.map((level) => {
    const place = placeLevel(level, taken, width)
    taken.push(place)
    return place
  })
  const placed = points.flatMap((point): ReadonlyArray<PlacedLabel> => {
    if (point.label === "") return []
    const place = candidates(point).find(
      (box) =>
        box.left >= 0 &&
        box.right <= width + 12 &&
        box.top >= -8 &&
        box.bottom <= height &&
        !taken.some((other) => overlaps(box, other)),
    )
    if (place === undefined) return []
    taken.push(place)
    return [place]
  })
  return [...named, ...placed].map(({ x, y, align, text }) => ({ x, y, align, text }))
}
