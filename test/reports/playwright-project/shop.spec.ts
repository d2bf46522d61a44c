import { expect, test } from '@playwright/test';

const shop = `<title>Shop</title><h1>Shop</h1><button onclick="document.querySelector('h1').textContent = 'Basket'">Add</button>`;

test('a thing can be put into the basket', async ({ page }) => {
  await page.setContent(shop);
  await page.getByRole('button').click();
  await expect(page.getByRole('heading')).toHaveText('Basket');
});

test('the basket is empty at first', async ({ page }) => {
  await page.setContent(shop);
  await expect(page.getByRole('heading')).toHaveText('Basket', { timeout: 200 });
});
