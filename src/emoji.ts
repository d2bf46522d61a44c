/** What the emoji of Buildkite's names are: characters, or pictures of its own. @see https://buildkite.com/docs/pipelines/emojis */
import { nameToEmoji } from 'gemoji';

/** Pictures that Buildkite alone has. We ship none of theirs: a letter on a tile stands for each. */
const tiles = new Set(
  (
    'android ansible apple aws azure babel bazel bitbucket bitrise bootstrap browserstack buildkite buildkite-agent buildpack bun bundler cargo chrome chromium ' +
    'circleci clojure cocoapods codeclimate codecov composer coveralls cypress dart debian deno docker docker-compose dotnet edge elasticsearch electron ' +
    'elixir elm ember erlang eslint fastlane firefox flutter gcloud gem git github gitlab golang google-cloud googlecloud gradle graphql groovy grunt gulp ' +
    'haskell helm heroku ie ios java javascript jest jenkins jquery junit kotlin kubernetes lambda laravel lint linux llvm mac macos maven meteor mocha ' +
    'mongodb msbuild mysql netlify nginx nix node node_js nodejs npm nuget parcel perl php phpunit pipeline playwright pnpm postgres postgresql powershell ' +
    'prettier protobuf puppet python rabbitmq rails react redis redhat rspec ruby rubocop rust s3 safari salt sass saucelabs scala selenium sentry slack ' +
    'sonarqube spring storybook swift symfony tailwind terraform travis typescript ubuntu unity vault vercel vim visualstudio vite vitest vue webpack windows ' +
    'xcode yarn zig'
  ).split(' '),
);

/** @param name without its colons @returns the character; '' for a picture that we do not have; null: no emoji */
export function emojiOf(name: string): string | null {
  if (Object.hasOwn(nameToEmoji, name)) return nameToEmoji[name] ?? null;
  return tiles.has(name) ? '' : null;
}
