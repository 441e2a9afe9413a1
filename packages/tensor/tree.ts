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

/**
 * Reads trees of one structure quickly: gives a function that answers the leaves of a tree in the
 * order of {@link entries}, or `undefined` where its structure is not that of `like`.
 */
export const reader = (like: unknown): ((tree: unknown) => Array<Leaf> | undefined) => {
  type Read = (tree: unknown, into: Array<Leaf>) => boolean
  const make = (node: unknown): Read => {
    if (isLeaf(node)) return (tree, into) => isLeaf(tree) && into.push(tree) > 0
    if (typeof node !== "object" || node === null) return () => true
    const list = Array.isArray(node)
    const keys = list ? Object.keys(node) : Object.keys(node).sort()
    const parts = keys.map((key) => make((node as Record<string, unknown>)[key]))
    return (tree, into) => {
      if (typeof tree !== "object" || tree === null || Array.isArray(tree) !== list) return false
      let found = 0
      for (const key in tree) if (Object.hasOwn(tree, key)) found++
      if (found !== keys.length || isLeaf(tree)) return false
      const source = tree as Record<string, unknown>
      return keys.every((key, i) => Object.hasOwn(source, key) && parts[i](source[key], into))
    }
  }
  const read = make(like)
  return (tree) => {
    const into: Array<Leaf> = []
    return read(tree, into) ? into : undefined
  }
}

/** Fills trees of one structure quickly: {@link fill} for many lists of values. */
export const filler = <A, B, T>(like: T): ((values: ReadonlyArray<B>) => Mapped<T, A, B>) => {
  type Make = (values: ReadonlyArray<B>) => unknown
  let count = 0
  const make = (node: unknown): Make => {
    if (isLeaf(node)) {
      const index = count++
      return (values) => values[index]
    }
    if (typeof node !== "object" || node === null) return () => node
    if (Array.isArray(node)) {
      const parts = node.map(make)
      return (values) => parts.map((part) => part(values))
    }
    const parts = Object.keys(node)
      .sort()
      .map((key) => [key, make((node as Record<string, unknown>)[key])] as const)
    return (values) => {
      const made: Record<string, unknown> = {}
      for (const [key, part] of parts) {
        const value = part(values)
        // A key of this name would set the prototype instead.
        if (key === "__proto__") Object.defineProperty(made, key, { value, enumerable: true })
        else made[key] = value
      }
      return made
    }
  }
  const fillIn = make(like)
  return (values) => fillIn(values) as Mapped<T, A, B>
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
