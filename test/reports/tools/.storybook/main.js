export default {
  stories: ['../stories/*.stories.js'],
  framework: '@storybook/html-vite',
  core: { disableTelemetry: true, disableWhatsNewNotifications: true },
};
