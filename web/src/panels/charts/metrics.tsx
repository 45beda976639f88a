/** Charts of the numbers of one run or several: a chart per metric, a colour per line, dashes per phase. */

import { brief } from '../numbers'
import type { Buffers } from './buffers'
import { Chart, type Line } from './chart'
import { dashOf } from './colours'
import { grouped, isProfile, isShare, type Named } from './groups'
import { nowOf, seenOf } from './now'
import { Profile } from './profile'

export interface Source {
  /** The run; left out of labels where there is only one. */
  label: string
  buffers: Buffers
}

export interface Look {
  smoothing: number
  isLog: boolean
  /** Only charts whose name contains this. */
  filter: string
  height?: number
  /** Charts that are shown elsewhere. */
  leavesOut?: (group: string) => boolean
  /** What the page sees of losses in every frame, drawn behind what the first run writes of them. */
  now?: Buffers
}

export function MetricCharts({ sources, look }: { sources: readonly Source[]; look: Look }) {
  const names = sources.map(({ buffers }) => buffers.names.value)
  const groups = grouped(new Set([...names.flat(), ...(look.now ? seenOf(look.now) : [])]))
  const wanted = [...groups].filter(([group]) => group.toLowerCase().includes(look.filter.toLowerCase()) && !look.leavesOut?.(group))
  return (
    <>
      {wanted.map(([group, list]) => (
        <OneMetric key={group} group={group} list={list} sources={sources} look={look} />
      ))}
    </>
  )
}

interface OneProps {
  group: string
  list: Named[]
  sources: readonly Source[]
  look: Look
}

function OneMetric({ group, list, sources, look }: OneProps) {
  const share = isShare(group)
  const format = share ? asPercent : (value: number | null) => brief(value, 4)
  const now = look.now && nowOf(look.now, group)
  const lines = [...(now ? [{ label: 'now', series: now, colour: 0, isFaint: true }] : []), ...linesOf(list, sources)]
  return (
    <>
      {isProfile(list) && <Profile title={`${group} since onset`} list={list} sources={sources} height={look.height ?? 150} />}
      <Chart
        title={group}
        lines={lines}
        smoothing={look.smoothing}
        isLog={look.isLog && !share}
        sync="steps"
        format={format}
        {...(look.height ? { height: look.height } : {})}
        {...(share ? { bounds: [0, 1] as [number, number], unit: 'share' as const } : {})}
      />
    </>
  )
}

/** A line for each number of each run that has it. Runs, or else numbers, have colours of their own; phases dashes. */
export function linesOf(list: readonly Named[], sources: readonly Source[]): Line[] {
  const isAlone = sources.length === 1
  const indices = [...new Set(list.map((one) => one.index))]
  return sources.flatMap(({ label, buffers }, number) =>
    list
      .filter((one) => buffers.names.value.includes(one.name))
      .map((one) => {
        const parts = [isAlone ? null : label, one.phase, one.index === null ? null : `${one.index}`].filter((part) => part !== null)
        const own = indices.length > 1 ? indices.indexOf(one.index) : phaseColour(one.phase)
        return {
          label: parts.join(' ') || one.group,
          series: buffers.of(one.name),
          colour: isAlone ? own : number,
          dash: dashOf(one.phase),
        }
      }),
  )
}

function phaseColour(phase: string | null): number {
  return phase === 'val' ? 1 : phase === 'test' ? 2 : 0
}

function asPercent(value: number | null): string {
  return value === null || Number.isNaN(value) ? '–' : `${(value * 100).toFixed(1)} %`
}
