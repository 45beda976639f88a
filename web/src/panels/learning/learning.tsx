/** The learning rules: on or off, their rates on a logarithmic scale or given back to their curves, their other numbers. */

import type { AddressInfo, RuleInfo } from '../../protocol'
import { command, value as written, word } from '../commands'
import { useStore } from '../context'
import { useAddresses } from '../forms/addresses'
import { Blank } from '../forms/blank'
import { RATE } from '../forms/ranges'
import { Scalar } from '../forms/scalar'
import { Setting } from '../forms/setting'
import { Switch } from '../forms/switch'
import { useSlice } from '../slice'

export function Learning() {
  const store = useStore()
  const rules = useSlice<RuleInfo[] | null>(() => store.status.value?.rules ?? null)
  const addresses = useAddresses(store.id.value ? 'learning/**' : null)
  const data = useAddresses(store.id.value ? 'data/*' : null)
  if (!store.id.value) return <Blank title="No session is shown" />
  if (!rules) return <Blank title="Asking for the learning rules" isBusy />
  const perform = (line: string) => void store.perform(line)
  const allOff = rules.length > 0 && rules.every((rule) => !rule.active)
  return (
    <div class="learning-panel">
      {rules.length > 1 && (
        <div class="in-row">
          <button type="button" class="button" onClick={() => perform(`learning ${allOff ? 'on' : 'off'}`)}>
            {allOff ? 'Let all rules learn' : 'Stop all learning'}
          </button>
        </div>
      )}
      {rules.length === 0 && <Blank title="This net has no learning rule">It runs, and nothing changes its parameters.</Blank>}
      {rules.map((rule) => (
        <Rule key={rule.name} rule={rule} addresses={(addresses ?? []).filter((one) => one.address.startsWith(`learning/${rule.name}/`))} />
      ))}
      {data && data.length > 0 && (
        <section class="rule">
          <h2>Data</h2>
          {data.map((one) => (
            <Setting key={one.address} label={one.address.slice('data/'.length)} address={one.address} value={one.value} disabled={!one.writable} />
          ))}
        </section>
      )}
    </div>
  )
}

function Rule({ rule, addresses }: { rule: RuleInfo; addresses: readonly AddressInfo[] }) {
  const store = useStore()
  const perform = (line: string) => store.perform(line)
  const rates = ratesOf(rule)
  const others = addresses.filter((one) => !/^learning\/[^/]+\/(rate(\/.*)?|active)$/.test(one.address))
  return (
    <section class="rule">
      <h2>
        {rule.name}
        {rule.type && <span class="note">{rule.type}</span>}
        <Switch isOn={rule.active} label={`Learning by ${rule.name}`} onChange={(isOn) => void perform(`learning ${isOn ? 'on' : 'off'} ${word(rule.name)}`)} />
      </h2>
      {rates.map(({ part, rate, isHeld }) => (
        <Rate key={part} rule={rule.name} part={part} rate={rate} isHeld={isHeld} />
      ))}
      {others.map((one) => (
        <Setting key={one.address} label={one.address.slice(`learning/${rule.name}/`.length)} address={one.address} value={one.value} disabled={!one.writable} />
      ))}
      {rates.length === 0 && others.length === 0 && <p class="note">It has no rate.</p>}
    </section>
  )
}

interface RateOf {
  /** Of a rule with optimisers on several parts, the part; else empty. */
  part: string
  rate: number
  /** Whether somebody holds it, so that it does not follow its curve; null if that is not told. */
  isHeld: boolean | null
}

/** The rates of a rule, by part. */
export function ratesOf(rule: RuleInfo): RateOf[] {
  const held = (part: string) => (typeof rule.held === 'object' ? (rule.held[part] ?? null) : (rule.held ?? null))
  if (typeof rule.rate === 'number') return [{ part: '', rate: rule.rate, isHeld: held('') }]
  return Object.entries(rule.rate ?? {}).map(([part, rate]) => ({ part, rate, isHeld: held(part) }))
}

function Rate({ rule, part, rate, isHeld }: { rule: string } & RateOf) {
  const store = useStore()
  const address = part ? `learning/${rule}/rate/${part}` : `learning/${rule}/rate`
  const change = (value: number | null) => {
    if (part) void store.perform(command('set', [word(address), value === null ? 'null' : written(value)]))
    else void store.perform(command('rate', [word(rule), value === null ? 'auto' : written(value)]))
  }
  return (
    <div class="rate">
      <Scalar label={part ? `rate of ${part}` : 'rate'} address={address} value={rate} range={RATE} onCommit={change} />
      <button type="button" class="button small" aria-pressed={isHeld === null ? undefined : !isHeld} title="Let the rate follow its curve again" onClick={() => change(null)}>
        Auto
      </button>
    </div>
  )
}
