/** Colours of lines: eight that also people who confuse red and green tell apart; dashes tell phases. */

const LIGHT = ['#0d7a74', '#c2410c', '#4263c9', '#a8327e', '#6a7a12', '#0b84b5', '#8250c4', '#7c4a1e']
const DARK = ['#3fbdb2', '#f08c4a', '#8ea6ff', '#ee83c4', '#b5c64a', '#5cc2f0', '#bf9bff', '#d0a070']

/** The colour of the line with this number. */
export function lineColour(number: number, isDark: boolean): string {
  const colours = isDark ? DARK : LIGHT
  return colours[number % colours.length]!
}

const DASHES: Record<string, number[]> = { train: [], val: [6, 4], test: [2, 3] }

/** The dashes of a phase's line. */
export function dashOf(phase: string | null): number[] {
  return phase === null ? [] : (DASHES[phase] ?? [])
}

/** The same colour, thinner. */
export function faded(colour: string, alpha: number): string {
  return /^#[0-9a-f]{6}$/i.test(colour) ? colour + Math.round(alpha * 255).toString(16).padStart(2, '0') : colour
}
