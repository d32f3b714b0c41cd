/** Where gateways leave their mark at a service, without the prefix: it tells them that Redis has lost what it held. */
export function markKey(service: string): string {
  return `mesh:{${service}}:mark`;
}
