import { StructureMismatch } from "./errors.ts"

/**
 * Trees of arrays: nested plain objects and arrays whose leaves are anything with a shape and a
 * dtype, or plain numbers. Parameters, batches, optimiser states and caches are trees.
 */

/** Anything that counts as one leaf. */
export type Leaf = { readonly shape: ReadonlyArray<number>; readonly dtype: string } | number

/** The tree `T` with every leaf of type `A` replaced by `B`. */
export type Mapped<T, A, B> = T extends A
  ? B
  : T extends object
    ? { readonly [K in keyof T]: Mapped<T[K], A, B> }
    : T

const isLeaf = (value: unknown): value is Leaf =>
  typeof value === "number" ||
  (typeof value === "object" && value !== null && "shape" in value && "dtype" in value)

/** Leaves with the path that leads to each, keys of objects in sorted order. */
export const entries = (tree: unknown, path = ""): ReadonlyArray<readonly [string, Leaf]> => {
  if (isLeaf(tree)) return [[path === "" ? "value" : path, tree]]
  if (typeof tree !== "object" || tree === null) return []
  const at = (key: string) => (path === "" ? key : `${path}.${key}`)
  if (Array.isArray(tree)) return tree.flatMap((item, i) => entries(item, at(String(i))))
  return Object.keys(tree)
    .sort()
    .flatMap((key) => entries((tree as Record<string, unknown>)[key], at(key)))
}

/** The leaves in the order of {@link entries}. */
export const leaves = <A>(tree: unknown): ReadonlyArray<A> =>
  entries(tree).map(([, leaf]) => leaf as A)

/**
 * A tree of the same structure with leaves `f(leaf, path)`.
 *
 * @example
 * ```ts
 * import { Spec, Tree } from "@espalier/tensor"
 *
 * const parameters = { layers: [{ w: Spec.f32([4, 4]), b: Spec.f32([4]) }] }
 * const sizes = Tree.map(parameters, (spec: Spec, path) => `${path}: ${spec.shape.length} axes`)
 * console.log(sizes.layers[0]?.w) // layers.0.w: 2 axes
 * ```
 */
export const map = <A, B, T>(
  tree: T,
  f: (leaf: A, path: string) => B,
  path = "",
): Mapped<T, A, B> => {
  if (isLeaf(tree)) return f(tree as A, path === "" ? "value" : path) as Mapped<T, A, B>
  if (typeof tree !== "object" || tree === null) return tree as Mapped<T, A, B>
  const at = (key: string) => (path === "" ? key : `${path}.${key}`)
  if (Array.isArray(tree)) {
    return tree.map((item, i) => map(item, f, at(String(i)))) as Mapped<T, A, B>
  }
  const source = tree as Record<string, unknown>
  return Object.fromEntries(
    Object.keys(source)
      .sort()
      .map((key) => [key, map(source[key], f, at(key))]),
  ) as Mapped<T, A, B>
}

/** A tree of the structure of `tree` filled with `values` in the order of {@link entries}. */
export const fill = <A, B, T>(tree: T, values: ReadonlyArray<B>): Mapped<T, A, B> => {
  let next = 0
  return map<A, B, T>(tree, () => values[next++])
}

/** Combines two trees leaf by leaf; throws `StructureMismatch` where their structures differ. */
export const map2 = <A, B, C, T>(
  left: T,
  right: unknown,
  f: (left: A, right: B, path: string) => C,
): Mapped<T, A, C> => {
  const others = entries(right)
  const own = entries(left)
  const odd =
    own.find(([path], i) => path !== others[i]?.[0]) ?? others.find((_, i) => i >= own.length)
  if (odd !== undefined) throw new StructureMismatch({ path: odd[0] })
  let next = 0
  return map<A, C, T>(left, (leaf, path) => f(leaf, others[next++][1] as B, path))
}
