using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeeringEngine
{
    /// <summary>Takes over the register of a removed or expired rule from the journal. Before the first <see cref="Tick"/>.</summary>
    public void RestoreTombstone(Policy policy, Cidr cidr, RuleVersion version, RegisterState state) =>
        Restore(policy, new RemoteChange(cidr, version, state, default, 0, null), RegisterFlags.None);

    /// <summary>Takes over the register of a live rule from the journal. Before the first <see cref="Tick"/>.</summary>
    /// <param name="outcome">What the store said to the rule; one that it refused is tried again.</param>
    public void RestoreRule(
        Policy policy, Cidr cidr, RuleVersion version, ReadOnlyMemory<byte> tag, ReadOnlyMemory<byte> reason, ulong expiration, TimeSpan? left,
        StoreOutcome outcome) =>
        Restore(policy, new RemoteChange(cidr, version, RegisterState.Live, tag, expiration, left) { Reason = reason }, FlagsFor(outcome));

    private void Restore(Policy policy, RemoteChange value, RegisterFlags flags)
    {
        if (IndexOf(policy) is not { } index)
        {
            return;
        }

        using (_store.Hold())
        {
            bool isNewer = index.IsNewer(value);
            if (isNewer && index.HasRoomFor(value))
            {
                index.Record(value.Cidr, value.Version!.Value, value.State, flags, value.Tag.Span, value.Expiration, value.Left, value.Reason.Span);
            }

            // A journal that ends early may hold two values of a CIDR; the newer one of them is the removal here.
            if (isNewer != (value.State == RegisterState.Live))
            {
                _store.Remove(policy, value.Cidr, new ChangeContext(ChangeOrigin.Journal, default), out _);
            }
        }
    }
}
