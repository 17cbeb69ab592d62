using System.Globalization;
using System.Text.Json;
using Couic.Cli.Api;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Config;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>Asks RIPEstat what an autonomous system announces (https://stat.ripe.net/docs/data-api/api-endpoints/announced-prefixes).</summary>
internal static class RipeStat
{
    public const string DefaultUrl = "https://stat.ripe.net";

    /// <summary>Environment variable with the base URL of the service; it overrides the configuration.</summary>
    public const string UrlVariable = "COUICCTL_RIPESTAT_URL";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <returns>Null when the text is an AS number, with or without <c>AS</c>; otherwise the error.</returns>
    public static string? TryAsn(string text, out uint asn)
    {
        ReadOnlySpan<char> digits = text.StartsWith("AS", StringComparison.OrdinalIgnoreCase) ? text.AsSpan(2) : text;
        return uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out asn)
            ? null
            : $"\"{Printable.Quote(text)}\" is not an autonomous system; expected its number, such as 64500 or AS64500";
    }

    /// <exception cref="CliException">The service cannot be reached, or has no prefix.</exception>
    public static string[] Announced(Invocation invocation, Endpoint endpoint, uint asn)
    {
        string baseUrl = invocation.Context.Environment(UrlVariable) ?? endpoint.RipeStatUrl ?? DefaultUrl;
        byte[] body = Fetch(baseUrl, asn);
        var entries = new List<string>();
        foreach (string prefix in Prefixes(body, baseUrl))
        {
            if (Cidr.TryParse(prefix, out Cidr cidr) == CidrFault.None)
            {
                entries.Add(cidr.ToString());
            }
            else
            {
                invocation.Note($"skipped \"{Printable.Quote(prefix)}\", which AS{asn} announces: it is not a CIDR");
            }
        }

        return entries.Count > 0 ? [.. entries] : throw new CliException($"AS{asn} announces no prefix (is the number right?)");
    }

    private static byte[] Fetch(string baseUrl, uint asn)
    {
        if (!WebAddress.TryParse($"{baseUrl.TrimEnd('/')}/data/announced-prefixes/data.json?resource=AS{asn}&sourceapp=couicctl", out Uri? url))
        {
            throw new CliException($"the address of RIPEstat \"{Printable.Quote(baseUrl)}\" is not an http(s) URL (set by \"ripestat_url\" or {UrlVariable})");
        }

        try
        {
            using var http = new HttpClient { Timeout = Limit };
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            request.Headers.TryAddWithoutValidation("User-Agent", $"{CouicctlCommands.Name}/{ProductVersion.Text}");
            using HttpResponseMessage response = http.Send(request);
            if (!response.IsSuccessStatusCode)
            {
                throw new CliException($"RIPEstat at {url.Authority} answered {(int)response.StatusCode} for AS{asn} (try again later)");
            }

            using var copy = new MemoryStream();
            response.Content.ReadAsStream().CopyTo(copy);
            return copy.ToArray();
        }
        catch (HttpRequestException e)
        {
            throw new CliException($"cannot reach RIPEstat at {url.Authority}: {SystemErrors.Text(e.InnerException ?? e)}");
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            throw new CliException($"no complete answer from RIPEstat at {url.Authority} within {Limit.TotalSeconds:0} s (try again later)");
        }
    }

    private static List<string> Prefixes(byte[] body, string baseUrl)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            return [.. document.RootElement.GetProperty("data"u8).GetProperty("prefixes"u8).EnumerateArray()
                .Select(p => p.GetProperty("prefix"u8).GetString() ?? "null")];
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new CliException($"the answer of {baseUrl} is not what RIPEstat's announced-prefixes service gives");
        }
    }
}
