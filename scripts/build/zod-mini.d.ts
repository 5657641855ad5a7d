/** What published declarations say of a schema: see declarations.ts. */
export interface ZodMiniType<T> {
  /** Throws an error with `issues` if the value isn't a `T`. */
  parse(value: unknown): T
  safeParse(
    value: unknown,
  ):
    | { success: true; data: T; error?: undefined }
    | { success: false; data?: undefined; error: { issues: { path: PropertyKey[]; message: string }[] } }
}
