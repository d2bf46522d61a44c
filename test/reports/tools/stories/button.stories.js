export default {
  title: 'Checkout/Button',
  render: ({ label }) => {
    const button = document.createElement('button');
    button.textContent = label;
    return button;
  },
};

export const Primary = { args: { label: 'Pay now' } };
export const Quiet = { args: { label: 'Pay later' } };
