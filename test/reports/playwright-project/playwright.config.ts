/** A run of Playwright Test that leaves an HTML report with traces; its folder and browser come from whoever runs it. */
import { defineConfig } from '@playwright/test';

const { REPORT_FOLDER = '', REPORT_CHROMIUM = '' } = process.env;

export default defineConfig({
  testDir: '.',
  outputDir: `${REPORT_FOLDER}-results`,
  workers: 1,
  reporter: [['html', { outputFolder: REPORT_FOLDER, open: 'never' }]],
  use: {
    headless: true,
    trace: 'on',
    screenshot: 'on',
    launchOptions: { executablePath: REPORT_CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] },
  },
});
