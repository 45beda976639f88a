/** The parameters of a block: how they are spread, their gradients, filters as maps, numbers to change. */

import { useState } from 'preact/hooks'
import type { AddressInfo, ParameterInfo } from '../../protocol'
import { command, value as written, word } from '../commands'
import { useStore } from '../context'
import { useAddresses } from '../forms/addresses'
import { Choice } from '../forms/choice'
import { NumberField } from '../forms/number'
import { Scalar } from '../forms/scalar'
import { sizeText } from '../numbers'
import { FanChart, Histogram } from './distribution'
import { Maps } from './maps'
import { Section } from './section'

type What = 'values' | 'gradient'

interface Props {
  of: ParameterInfo
  held: boolean
  /** What it is called; its own name if left out. */
  title?: string
}

export function Parameter({ of, held, title }: Props) {
  const store = useStore()
  const [what, setWhat] = useState<What>('values')
  const name = of.address.slice(of.address.lastIndexOf('/') + 1)
  const address = what === 'values' ? of.address : `${of.address}/gradient`
  const perform = (command: string) => void store.perform(command)
  return (
    <Section id={`parameter ${name}`} title={title ?? name} note={`${sizeText(of.shape, of.count)}${held ? ', held' : ''}`} isOpen={name !== 'bias'}>
      <Choice
        label={`What of ${name}`}
        options={[
          { value: 'values', label: 'Values' },
          { value: 'gradient', label: 'Gradient', title: 'Of the newest learning step' },
        ]}
        value={what}
        onChange={setWhat}
      />
      <Histogram key={`h ${address}`} address={address} label={`${name}, ${what}`} />
      <FanChart key={`f ${address}`} address={address} label={`${name}, ${what}`} />
      {of.shape.length >= 2 && of.count > 1 && <Filters key={`m ${address}`} address={address} name={name} shape={of.shape} />}
      <ChangeAll of={of} />
      <div class="in-row">
        <button type="button" class="button" onClick={() => perform(command(held ? 'release' : 'hold', [word(of.address)]))}>
          {held ? 'Release' : 'Hold'}
        </button>
        <button type="button" class="button" title="Drawn anew" onClick={() => perform(command('reinitialise', [word(of.address)]))}>
          Reinitialise
        </button>
      </div>
    </Section>
  )
}

type Inputs = 'mean' | 'all' | 'one'

function Filters({ address, name, shape }: { address: string; name: string; shape: readonly number[] }) {
  const into = shape.length >= 4 ? shape[1]! : 1
  const [inputs, setInputs] = useState<Inputs>(into > 1 && shape[0]! * into <= 64 ? 'all' : 'mean')
  const [input, setInput] = useState(0)
  return (
    <div class="filters">
      {into > 1 && (
        <div class="in-row">
          <Choice
            label="Which inputs"
            options={[
              { value: 'mean', label: 'Mean', title: 'The mean over the inputs' },
              { value: 'one', label: 'One input' },
              { value: 'all', label: 'All', title: 'A row for each filter, a column for each input' },
            ]}
            value={inputs}
            onChange={setInputs}
          />
          {inputs === 'one' && <NumberField label="Input" hideLabel whole min={0} max={into - 1} value={input} onCommit={setInput} />}
        </div>
      )}
      <Maps address={address} label={`${name} as maps`} shape={shape} isWeight rate={4} input={inputs === 'one' ? input : inputs} />
    </div>
  )
}

/** Sets or shifts all numbers of a parameter at once; a single number has a slider. */
function ChangeAll({ of }: { of: ParameterInfo }) {
  const store = useStore()
  const [amount, setAmount] = useState(0)
  const single = useAddresses(of.count === 1 ? of.address : null)
  const send = (name: 'set' | 'add', number: number) => void store.perform(command(name, [word(of.address), written(number)]))
  if (of.count === 1) {
    return <Scalar label="value" address={of.address} value={asNumber(single?.[0])} onCommit={(number) => send('set', number)} />
  }
  return (
    <div class="in-row">
      <NumberField label="Number" hideLabel value={amount} onCommit={setAmount} />
      <button type="button" class="button" title={`set ${of.address} ${amount}`} onClick={() => send('set', amount)}>
        Set all
      </button>
      <button type="button" class="button" title={`add ${of.address} ${amount}`} onClick={() => send('add', amount)}>
        Add to all
      </button>
    </div>
  )
}

/** The number that stands at an address, or null. */
export function asNumber(info: AddressInfo | undefined): number | null {
  const value = info?.value
  return typeof value === 'number' ? value : null
}
