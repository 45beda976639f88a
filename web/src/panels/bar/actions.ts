/** What the bar's buttons and the keys do, by name; each is one command of the session. */

import { FaultError, type Status } from '../../protocol'
import type { Store } from '../../session'
import { brief } from '../numbers'
import { tell } from './toasts'

export interface Action {
  id: string
  /** What a button and the help say. */
  label: string
  /** As `event.key` has it, several for the same action. */
  keys: readonly string[]
  /** Where the help lists it. */
  group: 'Time' | 'Session' | 'Page'
  /** Whether it can be done now. */
  isOffered(status: Status | null): boolean
  perform(store: Store): void
}

const isLive = (status: Status | null) => status !== null && status.state !== 'stopping'

export const ACTIONS: readonly Action[] = [
  {
    id: 'toggle',
    label: 'Play or pause',
    keys: [' ', 'k'],
    group: 'Time',
    isOffered: isLive,
    perform: (store) => void store.perform(isGoing(store.status.peek()) ? 'pause' : 'play'),
  },
  {
    id: 'step',
    label: 'One frame on',
    keys: ['.', 'l'],
    group: 'Time',
    isOffered: isLive,
    perform: (store) => void store.perform('step'),
  },
  {
    id: 'step10',
    label: 'Ten frames on',
    keys: ['>', 'L'],
    group: 'Time',
    isOffered: isLive,
    perform: (store) => void store.perform('step 10'),
  },
  {
    id: 'back',
    label: 'One frame back',
    keys: [',', 'j'],
    group: 'Time',
    isOffered: (status) => isLive(status) && (status?.clock.frame ?? 0) > 0,
    perform: (store) => void store.perform('back'),
  },
  {
    id: 'back10',
    label: 'Ten frames back',
    keys: ['<', 'J'],
    group: 'Time',
    isOffered: (status) => isLive(status) && (status?.clock.frame ?? 0) > 0,
    perform: (store) => void store.perform(`back ${Math.min(10, store.status.peek()?.clock.frame ?? 10)}`),
  },
  {
    id: 'faster',
    label: 'Faster',
    keys: [']'],
    group: 'Time',
    isOffered: isLive,
    perform: (store) => changeSpeed(store, 1),
  },
  {
    id: 'slower',
    label: 'Slower',
    keys: ['['],
    group: 'Time',
    isOffered: isLive,
    perform: (store) => changeSpeed(store, -1),
  },
  {
    id: 'undo',
    label: 'Undo the newest command',
    keys: ['u'],
    group: 'Session',
    isOffered: isLive,
    perform: (store) => void store.perform('undo'),
  },
  {
    id: 'evaluate',
    label: 'Evaluate now',
    keys: ['e'],
    group: 'Session',
    isOffered: isLive,
    perform: (store) => void answered(store, 'evaluate'),
  },
  {
    id: 'checkpoint',
    label: 'Checkpoint now',
    keys: ['c'],
    group: 'Session',
    isOffered: isLive,
    perform: (store) => void answered(store, 'checkpoint'),
  },
  {
    id: 'deselect',
    label: 'Select nothing',
    keys: ['Escape'],
    group: 'Page',
    isOffered: () => true,
    perform: (store) => {
      store.selection.value = null
    },
  },
]

/** Gives a command that takes a while, and shows what it answers. */
async function answered(store: Store, text: string): Promise<void> {
  try {
    tell(`${text}: ${answerText(await store.command(text))}`)
  } catch (error) {
    store.fault.value = error instanceof FaultError ? error : new FaultError([{ address: text, rule: String(error) }])
  }
}

/** What a command answered: numbers by name, or whatever it is. */
export function answerText(result: unknown): string {
  if (result === null || result === undefined) return 'done'
  if (typeof result !== 'object') return String(result)
  const parts = Object.entries(result).map(([name, value]) => `${name} ${typeof value === 'number' ? brief(value, 4) : value !== null && typeof value === 'object' ? answerText(value) : String(value)}`)
  return parts.slice(0, 8).join(', ') || 'done'
}

/** An action by its name. */
export function action(id: string): Action {
  const found = ACTIONS.find((one) => one.id === id)
  if (!found) throw new Error(`there is no action ${id}`)
  return found
}

/** The action that a pressed key stands for; none while somebody types, and none with Ctrl, Alt or Meta. */
export function actionOf(event: KeyboardEvent): Action | null {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return null
  const target = event.target instanceof Element ? event.target : null
  if (target?.closest('input:not([type=range],[type=checkbox],[type=radio]), textarea, select, [contenteditable], dialog')) return null
  // A focused button, tab or slider takes the space bar and arrows for itself.
  if (event.key === ' ' && target?.closest('button, summary, a, [role=tab], input, [role=button], [role=treeitem]')) return null
  return ACTIONS.find((one) => one.keys.includes(event.key)) ?? null
}

/** Whether frames are run. */
export function isGoing(status: Status | null): boolean {
  return status?.state === 'running'
}

/** Speeds that the slider has, in frames per second; null is as fast as it can. */
export const SPEEDS: readonly (number | null)[] = [0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 240, null]

/** The place of a speed on the slider, or the nearest. */
export function speedPlace(speed: number | null | undefined): number {
  if (speed === null || speed === undefined) return SPEEDS.length - 1
  let best = 0
  SPEEDS.forEach((one, place) => {
    if (one !== null && Math.abs(Math.log(one / speed)) < Math.abs(Math.log(SPEEDS[best]! / speed))) best = place
  })
  return best
}

/** The command that sets the speed of a place. */
export function speedCommand(place: number): string {
  const speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, place))]
  return `speed ${speed ?? 'max'}`
}

function changeSpeed(store: Store, by: number): void {
  const place = speedPlace(store.status.peek()?.speed)
  const next = Math.min(SPEEDS.length - 1, Math.max(0, place + by))
  if (next !== place) void store.perform(speedCommand(next))
}

/** A key as it is printed on a keyboard. */
export function keyText(key: string): string {
  if (key === ' ') return 'Space'
  if (key === 'Escape') return 'Esc'
  return /^[A-Z]$/.test(key) ? `Shift ${key}` : key
}
