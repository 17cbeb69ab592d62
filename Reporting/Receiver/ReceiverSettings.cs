using System.Net;
using Couic.Access;

namespace Couic.Reporting.Receiver;

/// <summary>All of couic-report.toml, checked; <see cref="ReceiverSettingsReader"/> makes it.</summary>
internal sealed record ReceiverSettings
{
    /// <summary>Time that one summary is about.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(900);

    /// <summary>What summaries call the node.</summary>
    public required string Name { get; init; }

    /// <summary>A loopback address.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    public int Port { get; init; } = 8000;

    /// <summary>Last segment of the path that reports are posted to.</summary>
    public required Token Secret { get; init; }

    public Thresholds Thresholds { get; init; } = new();

    public Uri? Discord { get; init; }

    public Uri? Slack { get; init; }

    public Uri? Webhook { get; init; }
}

/// <summary>How alarming an interval was.</summary>
internal enum Colour
{
    Green,
    Orange,
    Red,
}

/// <param name="Orange">Reports in one interval from which on it is orange.</param>
/// <param name="Red">Reports from which on it is red; more than <paramref name="Orange"/>.</param>
/// <param name="Min">The mildest colour that is told; green also tells of intervals without reports.</param>
internal sealed record Thresholds(int Orange = 10, int Red = 100, Colour Min = Colour.Green)
{
    public Colour Of(long reports) => reports >= Red ? Colour.Red : reports >= Orange ? Colour.Orange : Colour.Green;
}
