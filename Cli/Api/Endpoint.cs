namespace Couic.Cli.Api;

/// <summary>Where the daemon is and how we say who we are.</summary>
internal sealed record Endpoint
{
    /// <summary>Path of the Unix socket; null for a remote daemon.</summary>
    public string? Socket { get; init; }

    public string Host { get; init; } = "";

    public int Port { get; init; }

    public bool Tls { get; init; }

    /// <summary>PEM file of the only authorities to trust; null for those of the system.</summary>
    public string? CaFile { get; init; }

    /// <summary>Secret.</summary>
    public required string Token { get; init; }

    /// <summary>The file that the token was read from, for error messages.</summary>
    public required string TokenFile { get; init; }

    /// <summary>Where RIPEstat is asked instead of at its own address; null for that.</summary>
    public string? RipeStatUrl { get; init; }

    /// <summary>For error messages: the socket in quotes, or the URL.</summary>
    public string Display => Socket is not null ? $"\"{Socket}\"" : BaseUri.GetLeftPart(UriPartial.Authority);

    public Uri BaseUri => Socket is not null
        ? new Uri("http://couic/")
        : new UriBuilder(Tls ? "https" : "http", Host, Port).Uri;
}
