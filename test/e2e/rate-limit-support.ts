/** A route that answers itself, behind limits. */
export function limitedRoutes(...uses: readonly Readonly<Record<string, unknown>>[]) {
  const limits = uses.map(({ shadow, ...options }) => ({
    use: "rate-limit",
    with: { by: "route", ...options },
    ...(shadow === undefined ? {} : { shadow }),
  }));
  return { routes: [{ name: "api", plugins: [...limits, { use: "respond", with: { status: 200, body: "ok" } }] }] };
}
