namespace Couic.Bus;

/// <summary>How to reach the bus. At most one way of authentication is given.</summary>
/// <param name="Servers">Addresses such as <c>tls://bus1.example.net:4222</c>, joined by commas.</param>
/// <param name="Name">The stream, and the first word of its subjects.</param>
/// <param name="Replicas">Of the stream, when this node creates it.</param>
/// <param name="KeyFile">PEM key of <paramref name="CertFile"/>.</param>
public sealed record BusSettings(
    string Servers,
    string Name = BusSettings.DefaultName,
    int Replicas = 1,
    string? Token = null,
    string? User = null,
    string? Password = null,
    string? NkeyFile = null,
    string? CredentialsFile = null,
    string? CaFile = null,
    string? CertFile = null,
    string? KeyFile = null)
{
    public const string DefaultName = "couic";

    /// <summary>The generated text would show the secrets.</summary>
    public override string ToString() => $"{Name} at {Servers}";
}
