/** The colours of the net's canvas, read once for each theme. */

import { computed } from '@preact/signals'
import { isDark, token } from '../../theme'

export interface Palette {
  isDark: boolean
  ground: string
  grid: string
  edge: string
  delay: string
  module: string
  moduleLine: string
  block: string
  empty: string
  text: string
  text2: string
  text3: string
  accent: string
  bad: string
  badSoft: string
  warn: string
  warnSoft: string
  focus: string
  font: string
}

export const palette = computed<Palette>(() => ({
  isDark: isDark.value,
  ground: token('net-ground'),
  grid: token('net-grid'),
  edge: token('net-edge'),
  delay: token('net-delay'),
  module: token('net-module'),
  moduleLine: token('net-module-line'),
  block: token('net-block'),
  empty: token('net-empty'),
  text: token('text'),
  text2: token('text-2'),
  text3: token('text-3'),
  accent: token('accent'),
  bad: token('bad'),
  badSoft: token('bad-soft'),
  warn: token('warn'),
  warnSoft: token('warn-soft'),
  focus: token('focus'),
  font: token('font') || 'sans-serif',
}))
