/** What a block was made with, such as a dropout's `p` or a convolution's padding mode, to be changed while it runs. */

import type { SettingInfo } from '../../protocol'
import { useAddresses } from '../forms/addresses'
import { Setting } from '../forms/setting'
import { Section } from './section'

export function BlockSettings({ path, settings }: { path: string; settings: readonly SettingInfo[] }) {
  const found = useAddresses(settings.length ? `net/${path}/*` : null)
  if (!settings.length) return null
  return (
    <Section id="settings" title="Settings">
      {settings.map(({ address, value }) => {
        const now = found?.find((one) => one.address === address)
        return <Setting key={address} label={address.slice(address.lastIndexOf('/') + 1)} address={address} value={now?.value ?? value} />
      })}
    </Section>
  )
}
