/** What is in force on a block or an edge, of all that a status tells. */

import type { Intervention } from '../../protocol'
import { command, word } from '../commands'

/** The block or edge that a target belongs to: `hidden1` of `hidden1[3, 4:10]`. */
export function baseOf(target: string): string {
  return target.replace(/[[ ].*$/, '')
}

/** What is in force on a block itself, its units and regions. */
export function inForceOn(interventions: readonly Intervention[] | undefined, path: string): Intervention[] {
  return (interventions ?? []).filter((one) => (one.block ?? baseOf(one.target ?? '')) === path)
}

/** A thing in force, in words. */
export function wordsOf(one: Intervention): string {
  const value = one.value ?? one.std
  if (value === undefined || value === null) return one.kind
  if (typeof value === 'number' || (typeof value === 'string' && value.length < 40)) return `${one.kind} ${value}`
  return one.kind
}

/** The command that ends it. Painted units are told again by their mask, as they have no name. */
export function endOf(one: Intervention): string {
  if (one.kind === 'hold') return command('release', [word(one.target)])
  const isPainted = one.mask !== undefined && / \(.*\)$/.test(one.target)
  return isPainted ? command('restore', [word(one.block ?? baseOf(one.target))], { mask: one.mask }) : command('restore', [word(one.target)])
}

/** The patterns of parameters that are held. */
export function heldOf(interventions: readonly Intervention[] | undefined): string[] {
  return (interventions ?? []).filter((one) => one.kind === 'hold').map((one) => one.target)
}

/** Whether a pattern names an address: `*` within a part, `**` over parts, or the block that it belongs to. */
export function covers(pattern: string, address: string): boolean {
  if (address === pattern || address.startsWith(`${pattern}/`)) return true
  const source = pattern
    .split('**')
    .map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*'))
    .join('.*')
  return new RegExp(`^${source}$`).test(address)
}
