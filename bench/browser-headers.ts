/** Twelve headers as a browser sends them to a shop: 1.1 KB. */
export const BROWSER_HEADERS: Readonly<Record<string, string>> = {
  "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
  Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
  "Accept-Language": "en-GB,en;q=0.9,de;q=0.8,fr;q=0.7",
  "Accept-Encoding": "gzip, deflate, br, zstd",
  Referer: "https://shop.example.com/catalog/garden/furniture?page=3&sort=price&order=ascending",
  Cookie: `session=${"a1b2c3d4".repeat(16)}; cart=${"0f9e8d7c".repeat(8)}; consent=necessary.statistics; theme=dark`,
  Authorization: `Bearer ${"eyJhbGciOiJF".repeat(20)}`,
  "Sec-Ch-Ua": '"Chromium";v="138", "Not=A?Brand";v="8"',
  "Sec-Ch-Ua-Platform": '"Linux"',
  "Sec-Fetch-Mode": "navigate",
  "Sec-Fetch-Site": "same-origin",
  "Upgrade-Insecure-Requests": "1",
};
