/** What a block keeps besides its parameters, such as running means: how it is spread, now and over time. */

import type { BufferInfo } from '../../protocol'
import { sizeText } from '../numbers'
import { FanChart, Histogram } from './distribution'
import { Section } from './section'

export function Buffers({ buffers }: { buffers: readonly BufferInfo[] }) {
  return (
    <>
      {buffers.map(({ address, shape, count }) => {
        const name = address.slice(address.lastIndexOf('/') + 1)
        return (
          <Section key={address} id={`buffer ${name}`} title={name} note={`kept, ${sizeText(shape, count)}`} isOpen={false}>
            {count > 1 && <Histogram address={address} label={name} />}
            <FanChart address={address} label={name} />
          </Section>
        )
      })}
    </>
  )
}
