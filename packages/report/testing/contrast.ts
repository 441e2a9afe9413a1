/// <reference lib="dom" />

/**
 * The least contrast between a text of the page and what is behind it, as WCAG 2 counts it, and that
 * text. Runs in the browser: it must use nothing from outside itself.
 */
export const leastContrast = (): { readonly contrast: number; readonly text: string } => {
  const numbers = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number)
  const luminance = (colour: string) => {
    const [r, g, b] = numbers(colour).map((value) => {
      const share = value / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const background = (element: Element | null): string => {
    if (element === null) return "rgb(255, 255, 255)"
    const { backgroundColor } = getComputedStyle(element)
    return numbers(backgroundColor)[3] === 0 ? background(element.parentElement) : backgroundColor
  }
  let least = { contrast: 21, text: "" }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement
    if (element === null || node.nodeValue?.trim() === "") continue
    if (element.closest("title") !== null || element.getClientRects().length === 0) continue
    const style = getComputedStyle(element)
    // Texts of the graph stand in boxes, which are drawn and not a background.
    const box = element.closest(".box")?.querySelector("rect")
    const behind = box ? getComputedStyle(box).fill : background(element)
    const front = element instanceof SVGElement ? style.fill : style.color
    const [light, dark] = [luminance(front), luminance(behind)].sort((a, b) => b - a)
    const contrast = (light + 0.05) / (dark + 0.05)
    if (!(contrast >= least.contrast))
      least = { contrast, text: `${node.nodeValue} ${front} ${behind}` }
  }
  return least
}
