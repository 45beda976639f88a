/** How large the gradients of some parameters are, over the frames that are watched: a line for each. */

import { useEffect, useMemo, useState } from 'preact/hooks'
import type { ParameterInfo } from '../../protocol'
import { Chart } from '../charts/chart'
import { Series } from '../charts/series'
import { useStore } from '../context'
import { Section } from './section'

/** So many of the largest parameters are watched. */
const MOST = 6
const RATE = 4

export function Gradients({ parameters, within = '' }: { parameters: readonly ParameterInfo[]; within?: string }) {
  const learned = parameters.filter((one) => one.trainable)
  if (!learned.length) return null
  const shown = [...learned].sort((a, b) => b.count - a.count).slice(0, MOST)
  const note = learned.length > MOST ? `the ${MOST} largest of ${learned.length}` : undefined
  return (
    <Section id="gradients" title="Gradients" note={note}>
      <Norms key={shown.map((one) => one.address).join()} addresses={shown.map((one) => one.address)} within={within} />
    </Section>
  )
}

function Norms({ addresses, within }: { addresses: readonly string[]; within: string }) {
  const store = useStore()
  const id = store.id.value
  const series = useMemo(() => addresses.map(() => new Series()), [id])
  const [hasCome, setCome] = useState(false)
  useEffect(() => {
    setCome(false)
    const stops = addresses.map((address, n) =>
      store.subscribe(
        `${address}/gradient`,
        'scalar',
        ({ frame, data }) => {
          series[n]!.push(frame, Number(data[0]))
          setCome(true)
        },
        { rate: RATE, measure: 'norm' },
      ),
    )
    return () => stops.forEach((stop) => stop())
  }, [id])
  if (!hasCome) return <p class="note">Gradients are seen while frames run and a rule changes these parameters by them.</p>
  const lines = addresses.map((address, n) => ({ label: nameOf(address, within), colour: n, series: series[n]! }))
  return <Chart title="norm" lines={lines} isLog axis="frame" height={92} />
}

/** A parameter's name within what is selected: `weight`, or `conv/weight` in a module. */
function nameOf(address: string, within: string): string {
  const prefix = `net/${within}/`
  return within && address.startsWith(prefix) ? address.slice(prefix.length) : address.slice(address.lastIndexOf('/') + 1)
}
