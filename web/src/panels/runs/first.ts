/** The document that the form begins with: small, complete, and quick to run. */

export const FIRST_DOCUMENT = `experiment: digits

net:
  inputs:
    image: [1, 8, 8]
    label: {dtype: int64}
  blocks:
    conv:   {type: Conv2d, from: image, out_channels: 16, kernel_size: 3, padding: same}
    relu:   ReLU
    pool:   {type: MaxPool2d, kernel_size: 2}
    flat:   Flatten
    logits: {type: Linear, out_features: 10}
    loss:     {type: CrossEntropy, from: [logits, label]}
    accuracy: {type: Accuracy, from: [logits, label]}

data:
  source: Digits
  batch_size: 32

learning:
  main: {type: Backprop, loss: loss, optimizer: {type: SGD, lr: 0.1, momentum: 0.9}}

run: {epochs: 20, seed: 1}
`
