/** Light, dark, or as the system has it; and the colours as canvases need them. */

import { computed, effect, signal } from '@preact/signals'
import { kept } from './kept'

export type Theme = 'system' | 'light' | 'dark'

/** What the reader chose. */
export const theme = kept<Theme>('theme', 'system')

const systemIsDark = signal(matchMedia('(prefers-color-scheme: dark)').matches)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => {
  systemIsDark.value = event.matches
})

export const isDark = computed(() => (theme.value === 'system' ? systemIsDark.value : theme.value === 'dark'))

effect(() => {
  document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light'
})

/** A token of theme.css by name, such as `accent`; reads `isDark`, so that effects run again when it changes. */
export function token(name: string): string {
  void isDark.value
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}
