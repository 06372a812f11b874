import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** A team's data key, wrapped by a key of the ring. */
@Entity('team_keys')
export class TeamKey {
  @PrimaryColumn('uuid', { name: 'team_id' }) teamId!: string;
  @PrimaryColumn('integer') version!: number;
  @Column('text', { name: 'kek_id' }) kekId!: string;
  @Column('bytea') wrapped!: Buffer;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
}
