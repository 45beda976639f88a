/** The numbers that a block was made with, such as a dropout's `p`, each to be changed while it runs. */

import type { SettingInfo } from '../../protocol'
import { command, value as written, word } from '../commands'
import { useStore } from '../context'
import { useAddresses } from '../forms/addresses'
import { Scalar } from '../forms/scalar'
import { asNumber } from './parameters'
import { Section } from './section'

export function BlockSettings({ path, settings }: { path: string; settings: readonly SettingInfo[] }) {
  const store = useStore()
  const found = useAddresses(settings.length ? `net/${path}/*` : null)
  const numbers = settings.filter((one) => typeof one.value === 'number')
  if (!settings.length) return null
  return (
    <Section id="settings" title="Settings">
      {numbers.map(({ address, value }) => {
        const now = asNumber(found?.find((one) => one.address === address)) ?? (value as number)
        const name = address.slice(address.lastIndexOf('/') + 1)
        return (
          <Scalar
            key={address}
            label={name}
            address={address}
            value={now}
            onCommit={(number) => void store.perform(command('set', [word(address), written(number)]))}
          />
        )
      })}
      {settings
        .filter((one) => typeof one.value !== 'number')
        .map(({ address, value }) => (
          <div key={address} class="in-row">
            <span class="scalar-label">{address.slice(address.lastIndexOf('/') + 1)}</span>
            <code>{JSON.stringify(value)}</code>
          </div>
        ))}
    </Section>
  )
}
