using System.Net;

namespace Couic.Api.Contracts;

/// <summary>Whether traffic to a host stays on the machine.</summary>
internal static class Loopback
{
    /// <param name="host">Name or address, without brackets.</param>
    public static bool IsHost(string host) => IPAddress.TryParse(host, out IPAddress? address)
        ? IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)
        : host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);
}
